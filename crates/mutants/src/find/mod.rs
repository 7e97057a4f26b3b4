//! Finds the mutants of a file.
//!
//! Each mutant is written so that it can be left out on its own, and so that no mutant stands in the text twice: where
//! the changed code needs its operands a second time, they are written as in the source, without their own mutants.
//!
//! Left alone: tests, constants and everything else that is computed at compile time, patterns, types, macros, the
//! blocks of `let … else`, and `Debug` and `Display`, whose text only people read.

mod syntax;
mod visit;

pub use syntax::is_test;

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, ExprMatch, Lit, Pat, ReturnType, Signature, Stmt, Type,
    UnOp,
};

use crate::mutant::{Edit, Kind, Mutant, Name, Site};
use syntax::{can_be_left_out, defaults, has_let, in_one_line, other_arithmetic, takes_all};

/// How the rewritten source calls the switch.
const SWITCH: &str = "::etcdsim_mutants_switch::";

/// The longest excerpt of the source in the description of a change, in characters.
const LONGEST_EXCERPT: usize = 160;

/// Finds the mutants of a file, outer ones before those inside them. `file` is its path from the root of the package.
/// The first gets the number `next`, which is then counted up.
pub fn find(file: &str, text: &str, parsed: &syn::File, next: &mut u32) -> Vec<Site> {
    let mut finder = Finder {
        file,
        text,
        next,
        scope: Vec::new(),
        function_lines: 0..=0,
        seen: BTreeMap::new(),
        sites: Vec::new(),
    };
    finder.visit_file(parsed);
    finder.sites
}

struct Finder<'t> {
    file: &'t str,
    text: &'t str,
    next: &'t mut u32,
    /// The types, traits and functions around the place that is visited.
    scope: Vec<String>,
    function_lines: RangeInclusive<usize>,
    /// How often a change of this text was found in a function.
    seen: BTreeMap<(String, String), usize>,
    sites: Vec<Site>,
}

impl Finder<'_> {
    /// Adds a mutant whose edits depend on its number.
    fn add(&mut self, kind: Kind, span: Span, change: String, edits: impl FnOnce(u32) -> Vec<Edit>) {
        let number = *self.next;
        *self.next += 1;
        let function = self.scope.join("::");
        let nth = self.seen.entry((function.clone(), change.clone())).or_default();
        *nth += 1;
        let name = Name { file: self.file.to_string(), function, change, nth: *nth };
        let mutant = Mutant { number, name, line: span.start().line, kind };
        self.sites.push(Site { mutant, edits: edits(number), function_lines: self.function_lines.clone() });
    }

    /// Adds a mutant that passes its expression to a function of the switch.
    fn through(&mut self, kind: Kind, function: &str, node: &Expr, change: String) {
        let range = node.span().byte_range();
        self.add(kind, node.span(), change, |number| {
            let before = format!("{SWITCH}{function}({number}, ");
            vec![Edit::Wrap { range, before, after: ")".into() }]
        });
    }

    /// Adds a mutant that puts other code in place of a node.
    fn instead(&mut self, kind: Kind, span: Span, other: &str, change: String) {
        let range = span.byte_range();
        self.add(kind, span, change, |number| {
            let before = format!("(if {SWITCH}on({number}) {{ {other} }} else {{ ");
            vec![Edit::Wrap { range, before, after: " })".into() }]
        });
    }

    /// Adds a mutant that leaves a statement out. `range` holds its semicolon, if it has one.
    fn leave_out(&mut self, node: &Expr, range: Range<usize>) {
        let change = format!("leave out {}", self.excerpt(node.span()));
        self.add(Kind::Statement, node.span(), change, |number| {
            vec![Edit::Wrap { range, before: format!("if {SWITCH}off({number}) {{ "), after: " }".into() }]
        });
    }

    /// The source of a node in one line, in backticks, shortened if it is long.
    fn excerpt(&self, span: Span) -> String {
        let text = self.text[span.byte_range()].split_whitespace().collect::<Vec<_>>().join(" ");
        match text.char_indices().nth(LONGEST_EXCERPT) {
            Some((end, _)) => format!("`{}…`", &text[..end]),
            None => format!("`{text}`"),
        }
    }

    /// The source of a node, to be written a second time.
    fn again(&self, span: Span) -> Option<String> {
        in_one_line(&self.text[span.byte_range()])
    }

    /// A function with a body.
    fn function(&mut self, attributes: &[Attribute], signature: &Signature, body: &Block) {
        if is_test(attributes) || signature.constness.is_some() {
            return;
        }
        let outer = self.function_lines.clone();
        self.function_lines = signature.span().start().line..=body.span().end().line;
        self.scope.push(signature.ident.to_string());
        let is_unit = match &signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, output) => matches!(&**output, Type::Tuple(tuple) if tuple.elems.is_empty()),
        };
        self.defaults(signature, body, is_unit);
        self.block(body, is_unit);
        self.scope.pop();
        self.function_lines = outer;
    }

    /// The mutants that return a default at the beginning of a function.
    fn defaults(&mut self, signature: &Signature, body: &Block, is_unit: bool) {
        let values = match &signature.output {
            _ if is_unit => vec![String::new()],
            ReturnType::Default => Vec::new(),
            ReturnType::Type(_, output) => defaults(output),
        };
        // If the body is a single statement, the mutant that leaves it out is this mutant already.
        let only = match &body.stmts[..] {
            [] => return,
            [Stmt::Expr(only, _)] => is_unit && can_be_left_out(only),
            _ => false,
        };
        if only {
            return;
        }
        let braces = body.span().byte_range();
        let inside = self.text[braces.start + 1..braces.end - 1].trim();
        let at = braces.start + 1;
        for value in values.into_iter().filter(|value| value != inside) {
            let change = if value.is_empty() {
                "the body does nothing".to_string()
            } else {
                format!("the body gives `{value}`")
            };
            let span = signature.ident.span();
            self.add(Kind::Body, span, change, |number| {
                let text = format!(" if {SWITCH}on({number}) {{ return {value}; }}");
                vec![Edit::Insert { at, text }]
            });
        }
    }

    /// A block. `is_unit` says that its value is `()`.
    fn block(&mut self, block: &Block, is_unit: bool) {
        let last = block.stmts.len().saturating_sub(1);
        for (nth, statement) in block.stmts.iter().enumerate() {
            match statement {
                Stmt::Local(local) => self.visit_local(local),
                Stmt::Item(item) => self.visit_item(item),
                Stmt::Macro(_) => {}
                Stmt::Expr(node, Some(_)) => {
                    if can_be_left_out(node) {
                        self.leave_out(node, statement.span().byte_range());
                    }
                    self.visit_expr(node);
                }
                // Without a semicolon and not at the end: it is an `if`, a `match` or the like, and its value is `()`.
                Stmt::Expr(node, None) if nth < last || is_unit => self.unit(node),
                Stmt::Expr(node, None) => self.visit_expr(node),
            }
        }
    }

    /// An expression whose value is `()`.
    fn unit(&mut self, node: &Expr) {
        match node {
            Expr::If(node) => {
                self.condition(&node.cond);
                self.block(&node.then_branch, true);
                if let Some((_, other)) = &node.else_branch {
                    self.unit(other);
                }
            }
            Expr::Match(node) => self.arms(node, true),
            Expr::Block(node) => self.block(&node.block, true),
            Expr::Unsafe(node) => self.block(&node.block, true),
            other => {
                if can_be_left_out(other) {
                    self.leave_out(other, other.span().byte_range());
                }
                self.visit_expr(other);
            }
        }
    }

    /// The condition of an `if`.
    fn condition(&mut self, node: &Expr) {
        self.tested(node, Kind::Condition, true);
    }

    /// A condition or a guard. A chain with `let` in it is not a value as a whole, but its other operands are.
    fn tested(&mut self, node: &Expr, kind: Kind, may_be_true: bool) {
        if !has_let(node) {
            if may_be_true {
                self.through(kind, "yes", node, format!("{} to `true`", self.excerpt(node.span())));
            }
            self.through(kind, "no", node, format!("{} to `false`", self.excerpt(node.span())));
            self.inside(node);
        } else if let Expr::Binary(chain) = node {
            self.tested(&chain.left, kind, may_be_true);
            self.tested(&chain.right, kind, may_be_true);
        } else if let Expr::Let(binding) = node {
            self.visit_expr(&binding.expr);
        }
    }

    /// The inside of a condition that already has the mutants for always true and always false.
    fn inside(&mut self, node: &Expr) {
        match node {
            Expr::Paren(node) => self.inside(&node.expr),
            Expr::Unary(node) if matches!(node.op, UnOp::Not(_)) => self.inside(&node.expr),
            Expr::Binary(node) => match node.op {
                BinOp::And(_) | BinOp::Or(_) => self.junction(node),
                BinOp::Eq(_) | BinOp::Ne(_) => {
                    self.visit_expr(&node.left);
                    self.visit_expr(&node.right);
                }
                BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => self.boundary(node),
                _ => self.binary(node),
            },
            other => self.visit_expr(other),
        }
    }

    /// `a && b` or `a || b`, as `whole`.
    fn junction(&mut self, node: &ExprBinary) {
        let (is_and, other) = match node.op {
            BinOp::And(_) => (true, "||"),
            _ => (false, "&&"),
        };
        let whole = node.span();
        self.other_operator(Kind::Boolean, node, other);
        for operand in [&*node.left, &*node.right] {
            let same = matches!(operand, Expr::Binary(inner)
                if matches!((&inner.op, is_and), (BinOp::And(_), true) | (BinOp::Or(_), false)));
            // In a longer chain, an operand that is itself a link of the chain gets no mutant; its own operands do.
            if !same {
                let (function, value) = if is_and { ("yes", "true") } else { ("no", "false") };
                let change =
                    format!("{} in {} to `{value}`", self.excerpt(operand.span()), self.excerpt(whole));
                self.through(Kind::Boolean, function, operand, change);
            }
            self.inside(operand);
        }
    }

    /// A comparison by order: its boundary moves.
    fn boundary(&mut self, node: &ExprBinary) {
        let (function, other) = match node.op {
            BinOp::Lt(_) => ("less", "<="),
            BinOp::Le(_) => ("at_most", "<"),
            BinOp::Gt(_) => ("greater", ">="),
            _ => ("at_least", ">"),
        };
        let change = format!("{} to `{other}`", self.excerpt(node.span()));
        let (range, operator) = (node.span().byte_range(), node.op.span().byte_range());
        self.add(Kind::Comparison, node.span(), change, |number| {
            let before = format!("{SWITCH}{function}({number}, &(");
            let between = Edit::Replace { range: operator, text: "), &(".into() };
            vec![Edit::Wrap { range, before, after: "))".into() }, between]
        });
        self.visit_expr(&node.left);
        self.visit_expr(&node.right);
    }

    /// Another operator in place of that of `node`.
    fn other_operator(&mut self, kind: Kind, node: &ExprBinary, other: &str) {
        let text = |side: &Expr| self.again(side.span());
        let Some((left, right)) = text(&node.left).zip(text(&node.right)) else { return };
        let change = format!("{} to `{other}`", self.excerpt(node.span()));
        self.instead(kind, node.span(), &format!("{left} {other} {right}"), change);
    }

    /// A binary operator whose value is used for more than a test.
    fn binary(&mut self, node: &ExprBinary) {
        match node.op {
            BinOp::And(_) | BinOp::Or(_) => return self.junction(node),
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
                self.turned_around(node);
                return self.boundary(node);
            }
            BinOp::Eq(_) | BinOp::Ne(_) => self.turned_around(node),
            _ => {
                if let Some(other) = other_arithmetic(&node.op) {
                    self.other_operator(Kind::Arithmetic, node, other);
                }
            }
        }
        self.visit_expr(&node.left);
        self.visit_expr(&node.right);
    }

    /// Adds the mutant that is true where the comparison would be false, and the other way round.
    fn turned_around(&mut self, node: &ExprBinary) {
        let (range, span) = (node.span().byte_range(), node.span());
        let change = format!("{} to its opposite", self.excerpt(span));
        self.add(Kind::Comparison, span, change, |number| {
            vec![Edit::Wrap { range, before: format!("{SWITCH}not({number}, "), after: ")".into() }]
        });
    }

    /// A match. `is_unit` says that its value is `()`.
    fn arms(&mut self, node: &ExprMatch, is_unit: bool) {
        self.visit_expr(&node.expr);
        let rest = node.arms.iter().position(|arm| takes_all(&arm.pat)).unwrap_or(0);
        for (nth, arm) in node.arms.iter().enumerate() {
            self.arm(arm, nth < rest);
            if is_unit { self.unit(&arm.body) } else { self.visit_expr(&arm.body) }
        }
    }

    /// The pattern of an arm. `has_rest` says that a later arm matches everything.
    fn arm(&mut self, arm: &Arm, has_rest: bool) {
        if let Pat::Guard(pattern) = &arm.pat {
            self.tested(&pattern.guard, Kind::Guard, true);
        } else if has_rest {
            let change = format!("leave out the arm {}", self.excerpt(arm.pat.span()));
            let at = arm.pat.span().byte_range().end;
            self.add(Kind::Arm, arm.pat.span(), change, |number| {
                vec![Edit::Insert { at, text: format!(" if {SWITCH}off({number})") }]
            });
        }
    }

    /// A literal.
    fn literal(&mut self, node: &Expr, literal: &Lit) {
        match literal {
            Lit::Int(value) => {
                let Some(more) = value.base10_parse::<u128>().ok().and_then(|value| value.checked_add(1))
                else {
                    return;
                };
                let more = format!("{more}{}", value.suffix());
                let change = format!("{} to `{more}`", self.excerpt(node.span()));
                self.instead(Kind::Constant, node.span(), &more, change);
            }
            Lit::Bool(value) => {
                let change = format!("`{}` to `{}`", value.value, !value.value);
                self.through(Kind::Constant, "not", node, change);
            }
            _ => {}
        }
    }

    /// `min` or `max`, as a method or a function.
    fn min_max(&mut self, node: &Expr) {
        let (name, arguments) = match node {
            Expr::MethodCall(call) => (&call.method, call.args.len() + 1),
            Expr::Call(call) => match &*call.func {
                Expr::Path(function) => match function.path.segments.last() {
                    Some(last) => (&last.ident, call.args.len()),
                    None => return,
                },
                _ => return,
            },
            _ => return,
        };
        let other = match (name.to_string().as_str(), arguments) {
            ("min", 1 | 2) => "max",
            ("max", 1 | 2) => "min",
            _ => return,
        };
        let (whole, name) = (node.span().byte_range(), name.span().byte_range());
        let (before, after) = (&self.text[whole.start..name.start], &self.text[name.end..whole.end]);
        let Some(code) = in_one_line(&format!("{before}{other}{after}")) else { return };
        let change = format!("{} to `{other}`", self.excerpt(node.span()));
        self.instead(Kind::MinMax, node.span(), &code, change);
    }
}
