//! What a person is told about a mistake: the place underlined, what was expected, how to mend it.

use etcdsim_plan::{Scenario, ScenarioErrors};
use miette::{GraphicalReportHandler, GraphicalTheme};

fn render(errors: &ScenarioErrors) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
    handler.render_report(&mut text, errors).unwrap();
    text
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let errors = Scenario::parse("bad.toml", text).expect_err("the file has a mistake");
    let rendered = render(&errors);
    let lines = |text: &str| text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    if lines(&rendered) != lines(expected) {
        panic!("what is told has changed; it is now\n{rendered}");
    }
}

#[test]
fn show() {
    for text in [
        "title = \"t\"\n[cluster\nmembers = 3\n",
        "title = \"t\"\n[cluster]\nmembrs = 3\n",
        "title = \"t\"\n[cluster]\nheartbeat-interval = \"150mb\"\n",
        "title = \"t\"\n[cluster]\nheartbeat-interval = 150\n",
        "title = \"t\"\n[cluster]\npre-vote = \"yes\"\nmembers = 12\n[run]\nchaos = \"30s..10s\"\n",
        "title = \"t\"\n[cluster]\nmembers = 5\n[[fault]]\nkind = \"crash\"\ntarget = \"member 7\"\nat = \"5s\"\n",
        "title = \"t\"\n[[fault]]\nkind = \"crush\"\ntarget = \"leader\"\nat = \"5s\"\n",
        "title = \"t\"\n[[fault]]\nkind = \"crash\"\ntarget = \"leeder\"\nat = \"5s\"\n",
        "title = \"t\"\n[[fault]]\nkind = \"crash\"\ntarget = \"member 2\"\nat = \"5s\"\nfor = \"10s\"\n\n[[fault]]\nkind = \"power-loss\"\ntarget = \"members 2, 3\"\nat = \"8s\"\n",
        "title = \"t\"\n[[fault]]\nkind = \"pause\"\ntarget = \"member 2\"\nevery = \"1s..2s\"\nfor = \"3s\"\n",
        "title = \"t\"\n[[fault]]\nkind = \"lost-disk\"\ntarget = \"majority\"\nat = \"8s\"\n",
        "title = \"t\"\n[[fault]]\nkind = \"bit-rot\"\ntarget = \"clients\"\nfor = \"3s\"\n",
        "title = \"t\"\n[workload.mix]\nput = 0\nget = 0\n[workload]\nclients = 2\nrate=\"unthrottled\"\n[run]\ncore = 1",
        "[cluster]\nmembers = { any = [] }\n",
        "title = 't'\n[[client]]\noperations = ['1s pat k v', '1 put k v', '1s get k limt=3', '1s put k']\n",
    ] {
        println!("{}", render(&Scenario::parse("bad.toml", text).unwrap_err()));
    }
}
