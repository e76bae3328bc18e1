//! The table as Markdown: `results.md`, and a page of several experiments.

use std::fmt::Write as _;

use super::{
    super::summary::Summary,
    rows::{
        Row, citation, command, duration, meanings, other_sources, rows, seeds, solver_notes,
        sources, trouble,
    },
};

/// Longer tables are folded away, and the means over tasks stand in front of them: a table of tasks by
/// methods, where nothing is compared.
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
    let compared = format!(
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
    );
    paragraph(&match summary.compares() {
        true => compared.replace("  ", " "),
        false => format!("{}.", summary.headline()),
    });
    if !meanings(summary).is_empty() {
        let meanings: Vec<String> = meanings(summary).into_iter().map(str::to_owned).collect();
        paragraph(list("", "- ", &meanings).trim_start());
    }
    let all = rows(summary);
    if all.len() > FOLDED {
        let (averages, cells): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
            all.iter().partition(|row| row.is_average());
        if !summary.compares() {
            paragraph(&grid(summary, &all));
        } else if !averages.is_empty() {
            paragraph(&table(summary, &averages));
        }
        let (overall, cells): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
            cells.into_iter().partition(|row| row.is_overall(summary));
        if !overall.is_empty() {
            paragraph(&table(summary, &overall));
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
    let compares = summary.compares();
    let heading = &summary.record.description.measure.heading();
    let (mut table, mut rule) =
        (format!("| task | method | ours, {heading} |"), "|---|---|--:|".to_owned());
    if compares {
        table += " paper | difference | verdict |";
        rule += "--:|--:|---|";
    }
    if extras {
        table += " also |";
        rule += "---|";
    }
    table = format!("{table}\n{rule}");
    for row in rows {
        let Row { task, method, ours, paper, difference, verdict, .. } = row;
        let [task, method] = [task, method].map(|name| line(name));
        let _ = write!(table, "\n| {task} | {method} | {ours} |");
        if compares {
            let _ = write!(table, " {paper} | {difference} | {verdict} |");
        }
        if extras {
            let _ = write!(table, " {} |", line(&row.extras));
        }
    }
    table
}

/// Ours of every task and method, but for tasks that look back at the others: the more of them in rows.
fn grid(summary: &Summary, rows: &[Row<'_>]) -> String {
    let rows: Vec<&Row<'_>> = rows.iter().filter(|row| !row.is_overall(summary)).collect();
    let named = |of: fn(&Row<'_>) -> String| {
        let mut names: Vec<String> = Vec::new();
        for name in rows.iter().map(|row| of(row)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let task: fn(&Row<'_>) -> String = |row| line(row.task);
    let method: fn(&Row<'_>) -> String = |row| line(row.method);
    let (tasks, methods) = (named(task), named(method));
    let tasks_down = tasks.len() > methods.len();
    let (corner, down, across) = match tasks_down {
        true => ("task", tasks, methods),
        false => ("method", methods, tasks),
    };
    let (of_down, of_across) = if tasks_down { (task, method) } else { (method, task) };
    let heading = summary.record.description.measure.heading();
    let mut table = format!("| {corner}: {heading} | {} |\n", across.join(" | "));
    table += &format!("|---|{}", "--:|".repeat(across.len()));
    for name in &down {
        let _ = write!(table, "\n| {name} |");
        for column in &across {
            let found = rows.iter().find(|row| of_down(row) == *name && of_across(row) == *column);
            let _ = write!(table, " {} |", found.map_or("", |row| row.ours.as_str()));
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
