//! Which mutants a source has, and how they are written into it.

use etcdsim_mutants::find::find;
use etcdsim_mutants::mutant::Site;
use etcdsim_mutants::rewrite::rewrite;

fn sites(source: &str) -> Vec<Site> {
    let parsed = syn::parse_file(source).expect("the source of a test parses");
    find("src/lib.rs", source, &parsed, &mut 1)
}

/// The changes of all mutants of a source, one a line.
fn changes(source: &str) -> Vec<String> {
    sites(source).into_iter().map(|site| site.mutant.name.change).collect()
}

/// The source with all its mutants, without the path of the switch.
fn rewritten(source: &str) -> String {
    let text = rewrite(source, &sites(source)).text;
    syn::parse_file(&text).expect("what is written parses");
    assert_eq!(text.lines().count(), source.lines().count(), "lines stay where they are");
    text.replace("::etcdsim_mutants_switch::", "")
}

#[test]
fn a_condition_has_its_own_mutants_and_those_of_its_parts() {
    let source = "fn f(a: u64, b: bool) { if a < 5 && !b { g(); } }";
    let all = [
        "the body does nothing",
        "`a < 5 && !b` to `true`",
        "`a < 5 && !b` to `false`",
        "`a < 5 && !b` to `||`",
        "`a < 5` in `a < 5 && !b` to `true`",
        "`a < 5` to `<=`",
        "`5` to `6`",
        "`!b` in `a < 5 && !b` to `true`",
        "leave out `g()`",
    ];
    assert_eq!(changes(source), all);
}

#[test]
fn each_mutant_is_written_so_that_the_outer_ones_hold_the_inner_ones() {
    assert_eq!(
        rewritten("fn f(a: u64) -> Option<u64> { let b = a + 1; Some(b.min(2)) }"),
        "fn f(a: u64) -> Option<u64> { if on(1) { return None; } let b = (if on(2) { a - 1 } else { a + (if on(3) \
         { 2 } else { 1 }) }); Some((if on(4) { b.max(2) } else { b.min((if on(5) { 3 } else { 2 })) })) }"
    );
    assert_eq!(
        rewritten("fn f(a: u64, b: u64) -> bool {\n    !(a<b)\n}"),
        "fn f(a: u64, b: u64) -> bool { if on(1) { return true; } if on(2) { return false; }\n    not(3, !(not(4, \
         less(5, &(a), &(b)))))\n}"
    );
}

#[test]
fn statements_are_left_out_with_their_semicolons() {
    assert_eq!(
        rewritten("impl T { fn f(&mut self) { self.a = 1; self.b += 2; g()?; h() } }"),
        "impl T { fn f(&mut self) { if on(1) { return ; } if off(2) { self.a = (if on(3) { 2 } else { 1 }); } if \
         off(4) { (if on(5) { self.b -= 2 } else { self.b += (if on(6) { 3 } else { 2 }) }); } if off(7) { g()?; } \
         if off(8) { h() } } }"
    );
}

#[test]
fn arms_fall_to_the_arm_for_the_rest() {
    let source = "fn f(a: A) { match a { A::B => g(), A::C(n) if n > 1 => {} _ => h(), } }";
    assert_eq!(
        rewritten(source),
        "fn f(a: A) { if on(1) { return ; } match a { A::B if off(2) => if off(3) { g() }, A::C(n) if yes(4, no(5, \
         greater(6, &(n ), &( (if on(7) { 2 } else { 1 }))))) => {} _ => if off(8) { h() }, } }"
    );
    // Without an arm for the rest a match without one of its arms would not compile.
    assert!(
        !changes("fn f(a: A) -> u8 { match a { A::B => x, A::C => y } }").iter().any(|c| c.contains("arm"))
    );
}

#[test]
fn a_chain_with_let_is_changed_in_its_other_operands() {
    let found = changes("fn f(a: Option<u64>) { if let Some(b) = a && b == c { x(b); y(); } }");
    let all = [
        "the body does nothing",
        "`b == c` to `true`",
        "`b == c` to `false`",
        "leave out `x(b)`",
        "leave out `y()`",
    ];
    assert_eq!(found, all);
}

#[test]
fn what_is_no_code_that_runs_is_left_alone() {
    let source = "
        const A: u64 = 1 + 2;
        static B: bool = true;
        const fn c() -> u64 { 3 }
        enum D { E = 4 }
        struct F([u8; 5]);
        #[cfg(test)]
        mod tests { fn g() -> bool { true } }
        #[test]
        fn h() { i(); }
        impl std::fmt::Debug for D { fn fmt(&self) { i(); } }
        fn j() -> [u8; 6] { let Some(k) = l else { panic!() }; assert!(1 < 2); [k; 7] }
    ";
    assert_eq!(changes(source), [] as [&str; 0]);
}

#[test]
fn the_same_change_twice_in_a_function_is_counted() {
    let sites = sites("fn f() { g(1); g(1); }");
    let nth: Vec<_> = sites.iter().map(|site| (&site.mutant.name.change[..], site.mutant.name.nth)).collect();
    let all = [
        ("the body does nothing", 1),
        ("leave out `g(1)`", 1),
        ("`1` to `2`", 1),
        ("leave out `g(1)`", 2),
        ("`1` to `2`", 2),
    ];
    assert_eq!(nth, all);
    assert_eq!(sites[3].mutant.name.to_string(), "src/lib.rs, f: leave out `g(1)` (no. 2)");
}

#[test]
fn code_that_stands_twice_has_no_line_breaks_and_no_comments() {
    let text = rewritten("fn f(a: u64) -> u32 {\n    a\n        + b\n}");
    assert!(text.contains("{ a - b }"), "{text}");
    assert!(
        !changes("fn f() -> u32 { let c = g(a // one\n) + b; c }").iter().any(|change| change.contains('-'))
    );
}
