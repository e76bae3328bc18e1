//! The table as Markdown: `results.md`, and a page of several experiments.

use std::fmt::Write as _;

use super::{
    super::summary::Summary,
    rows::{
        Row, citation, command, duration, meanings, other_sources, rows, seeds, solver_notes,
        sources, trouble,
    },
};

/// Longer tables are folded away, and the means over tasks stand in front of them.
const FOLDED: usize = 40;

/// One experiment, under a heading of this level.
pub fn section(summary: &Summary, level: usize) -> String {
    let record = &summary.record;
    let description = &record.description;
    let mut text = String::new();
    let mut paragraph = |paragraph: &str| {
        let _ = writeln!(text, "{paragraph}\n");
    };
    paragraph(&format!("{} {}", "#".repeat(level), line(&description.title)));
    paragraph(&format!("{}.", line(&citation(description)).trim_end_matches('.')));
    paragraph(&format!("```sh\n{}\n```", command(summary)));
    paragraph(&format!(
        "Computed by transduct {} in {} of work, {} at a time; {}.",
        record.program,
        duration(summary.seconds),
        match record.jobs {
            1 => "one cell".to_owned(),
            n => format!("{n} cells"),
        },
        seeds(summary)
    ));
    paragraph(&list("Protocol", "- ", &description.protocol));
    if !description.differences.is_empty() {
        let numbered: Vec<String> = (description.differences.iter().enumerate())
            .map(|(i, difference)| format!("{}. {}", i + 1, line(difference)))
            .collect();
        paragraph(&format!("Differences from the paper:\n\n{}", numbered.join("\n")));
    }
    paragraph(&format!(
        "A cell is within tolerance when it is at most {} {} from the number beside it, unless it \
         has its own tolerance: {}. {}. In all: {}.",
        description.measure.number(description.tolerance.within),
        match description.measure.unit.as_str() {
            "%" => "points",
            _ => "",
        },
        line(&description.tolerance.why).trim_end_matches('.'),
        summary.headline(),
        summary.verdicts()
    ).replace("  ", " "));
    if !meanings(summary).is_empty() {
        let meanings: Vec<String> = meanings(summary).into_iter().map(str::to_owned).collect();
        paragraph(list("", "- ", &meanings).trim_start());
    }
    let all = rows(summary);
    if all.len() > FOLDED {
        let (averages, cells): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
            all.iter().partition(|row| row.is_average());
        if !averages.is_empty() {
            paragraph(&table(summary, &averages));
        }
        let cells = table(summary, &cells);
        paragraph(&format!("<details><summary>All cells</summary>\n\n{cells}\n\n</details>"));
    } else {
        paragraph(&table(summary, &all.iter().collect::<Vec<_>>()));
    }
    if !sources(summary).is_empty() {
        let sources: Vec<String> = sources(summary).into_iter().map(str::to_owned).collect();
        paragraph(&list("Published numbers", "- ", &sources));
    }
    if !other_sources(summary).is_empty() {
        let sources: Vec<String> = other_sources(summary).into_iter().map(str::to_owned).collect();
        paragraph(&list("Numbers of another program, which nobody published", "- ", &sources));
    }
    let notes = [trouble(summary), solver_notes(summary)].concat();
    if !notes.is_empty() {
        let notes = list("", "- ", &notes);
        paragraph(&format!("<details><summary>Notes</summary>\n{notes}\n\n</details>"));
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// A page of several experiments.
pub fn document(summaries: &[Summary], command: &str) -> String {
    let mut text = format!(
        "# Results on published data\n\nWritten by `{command}`, never typed: every number comes \
         from the files of its experiment.\n"
    );
    for summary in summaries {
        let _ = write!(text, "\n{}", section(summary, 2));
    }
    text
}

fn table(summary: &Summary, rows: &[&Row<'_>]) -> String {
    let extras = rows.iter().any(|row| !row.extras.is_empty());
    let heading = &summary.record.description.measure.heading();
    let mut table = format!("| task | method | ours, {heading} | paper | difference | verdict |");
    table += if extras { " also |\n" } else { "\n" };
    table += if extras { "|---|---|--:|--:|--:|---|---|" } else { "|---|---|--:|--:|--:|---|" };
    for row in rows {
        let Row { task, method, ours, paper, difference, verdict, .. } = row;
        let [task, method] = [task, method].map(|name| line(name));
        let _ =
            write!(table, "\n| {task} | {method} | {ours} | {paper} | {difference} | {verdict} |");
        if extras {
            let _ = write!(table, " {} |", line(&row.extras));
        }
    }
    table
}

fn list(title: &str, bullet: &str, items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("{bullet}{}", line(item))).collect();
    let title = if title.is_empty() { String::new() } else { format!("{title}:\n") };
    format!("{title}\n{}", items.join("\n"))
}

/// `text` on one line, in which nothing is markup.
fn line(text: &str) -> String {
    let mut line = String::new();
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '<' => line += "&lt;",
            '|' | '*' | '_' | '[' | ']' => {
                line.push('\\');
                line.push(c);
            }
            _ => line.push(c),
        }
    }
    line
}
