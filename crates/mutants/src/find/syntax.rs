//! What a piece of syntax is: a test, a statement that can be left out, an operator that can be replaced by another.

use syn::{Attribute, BinOp, Expr, Meta, Pat, Type};

/// Whether attributes say that something is compiled only for tests.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            let mut words = condition.split(|byte: char| !byte.is_alphanumeric() && byte != '_');
            words.any(|word| word == "test") && !condition.contains("not")
        }
        _ => false,
    })
}

/// Whether a statement has an effect of its own, so that leaving it out makes a mutant.
pub fn can_be_left_out(node: &Expr) -> bool {
    match node {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_) => true,
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        Expr::Binary(node) => other_assignment(&node.op),
        Expr::Try(node) => can_be_left_out(&node.expr),
        Expr::Await(node) => can_be_left_out(&node.base),
        _ => false,
    }
}

/// Code without its line breaks; `None` if they matter, because of a comment or a text.
pub fn in_one_line(code: &str) -> Option<String> {
    let breaks = code.contains('\n');
    let matter = code.contains("//") || (breaks && code.contains('"'));
    (!matter).then(|| code.split('\n').map(str::trim).collect::<Vec<_>>().join(" "))
}

/// Whether it is a chain of `&&` with a `let` in it.
pub fn has_let(node: &Expr) -> bool {
    match node {
        Expr::Let(_) => true,
        Expr::Binary(node) if matches!(node.op, BinOp::And(_)) => has_let(&node.left) || has_let(&node.right),
        _ => false,
    }
}

/// Whether a pattern matches everything.
pub fn takes_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        // A name in capitals is a variant or a constant.
        Pat::Ident(name) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(|first: char| first.is_lowercase())
        }
        _ => false,
    }
}

/// The operator that replaces an arithmetic one.
pub fn other_arithmetic(operator: &BinOp) -> Option<&'static str> {
    Some(match operator {
        BinOp::Add(_) => "-",
        BinOp::Sub(_) => "+",
        BinOp::Mul(_) => "/",
        BinOp::Div(_) => "*",
        BinOp::Rem(_) => "/",
        BinOp::BitXor(_) | BinOp::BitOr(_) => "&",
        BinOp::BitAnd(_) => "|",
        BinOp::Shl(_) => ">>",
        BinOp::Shr(_) => "<<",
        BinOp::AddAssign(_) => "-=",
        BinOp::SubAssign(_) => "+=",
        BinOp::MulAssign(_) => "/=",
        BinOp::DivAssign(_) => "*=",
        BinOp::RemAssign(_) => "/=",
        BinOp::BitXorAssign(_) | BinOp::BitOrAssign(_) => "&=",
        BinOp::BitAndAssign(_) => "|=",
        BinOp::ShlAssign(_) => ">>=",
        BinOp::ShrAssign(_) => "<<=",
        _ => return None,
    })
}

/// Whether an operator assigns.
fn other_assignment(operator: &BinOp) -> bool {
    other_arithmetic(operator).is_some_and(|other| other.ends_with('='))
}

/// The values that a function with this return type may return at its beginning.
pub fn defaults(output: &Type) -> Vec<String> {
    let Type::Path(path) = output else {
        return match output {
            Type::Tuple(tuple) if tuple.elems.is_empty() => vec!["()".to_string()],
            _ => Vec::new(),
        };
    };
    let Some(last) = path.path.segments.last() else { return Vec::new() };
    let values: &[&str] = match last.ident.to_string().as_str() {
        "bool" => &["true", "false"],
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            &["0", "1"]
        }
        "Option" => &["None"],
        "String" | "Vec" | "VecDeque" | "BTreeMap" | "BTreeSet" | "Bytes" => &["Default::default()"],
        "Result" => {
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return Vec::new() };
            let Some(syn::GenericArgument::Type(first)) = arguments.args.first() else { return Vec::new() };
            return defaults(first).iter().map(|value| format!("Ok({value})")).collect();
        }
        _ => &[],
    };
    values.iter().map(|value| value.to_string()).collect()
}
