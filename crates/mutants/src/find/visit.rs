//! The way through a file: down to every expression that runs.

use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemTrait, Local, Pat, TraitItemFn, Type,
    UnOp,
};

use super::Finder;
use super::syntax::is_test;
use crate::mutant::Kind;
use syn::spanned::Spanned;

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, node: &'ast ItemMod) {
        if !is_test(&node.attrs) {
            visit::visit_item_mod(self, node);
        }
    }

    fn visit_item_impl(&mut self, node: &'ast ItemImpl) {
        let text_only = node.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        let text_only = text_only.is_some_and(|last| last.ident == "Debug" || last.ident == "Display");
        if is_test(&node.attrs) || text_only {
            return;
        }
        let name = match &*node.self_ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.scope.push(name.unwrap_or_else(|| "impl".to_string()));
        node.items.iter().for_each(|item| self.visit_impl_item(item));
        self.scope.pop();
    }

    fn visit_item_trait(&mut self, node: &'ast ItemTrait) {
        if !is_test(&node.attrs) {
            self.scope.push(node.ident.to_string());
            node.items.iter().for_each(|item| self.visit_trait_item(item));
            self.scope.pop();
        }
    }

    fn visit_item_fn(&mut self, node: &'ast ItemFn) {
        self.function(&node.attrs, &node.sig, &node.block);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast ImplItemFn) {
        self.function(&node.attrs, &node.sig, &node.block);
    }

    fn visit_trait_item_fn(&mut self, node: &'ast TraitItemFn) {
        if let Some(body) = &node.default {
            self.function(&node.attrs, &node.sig, body);
        }
    }

    fn visit_local(&mut self, node: &'ast Local) {
        if let Some(init) = &node.init {
            self.visit_expr(&init.expr);
        }
    }

    fn visit_block(&mut self, node: &'ast Block) {
        self.block(node, false);
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        match node {
            Expr::If(inner) => {
                self.condition(&inner.cond);
                // Without `else` its value is `()`.
                self.block(&inner.then_branch, inner.else_branch.is_none());
                if let Some((_, other)) = &inner.else_branch {
                    self.visit_expr(other);
                }
            }
            Expr::While(inner) => {
                // If it were always true, the loop would only hang.
                self.tested(&inner.cond, Kind::Condition, false);
                self.block(&inner.body, true);
            }
            Expr::ForLoop(inner) => {
                self.visit_expr(&inner.expr);
                self.block(&inner.body, true);
            }
            Expr::Loop(inner) => self.block(&inner.body, true),
            Expr::Match(inner) => self.arms(inner, false),
            Expr::Binary(inner) => self.binary(inner),
            Expr::Unary(inner) if matches!(inner.op, UnOp::Not(_)) => {
                let change = format!("leave out the `!` of {}", self.excerpt(node.span()));
                self.through(Kind::Not, "not", node, change);
                self.visit_expr(&inner.expr);
            }
            Expr::Lit(inner) => self.literal(node, &inner.lit),
            Expr::MethodCall(_) | Expr::Call(_) => {
                self.min_max(node);
                visit::visit_expr(self, node);
            }
            // The length is computed at compile time.
            Expr::Repeat(inner) => self.visit_expr(&inner.expr),
            Expr::Const(_) | Expr::Macro(_) => {}
            Expr::Closure(inner) => self.visit_expr(&inner.body),
            _ => visit::visit_expr(self, node),
        }
    }

    // None of these is code that runs.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_generics(&mut self, _: &'ast syn::Generics) {}
    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_item_struct(&mut self, _: &'ast syn::ItemStruct) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
}
