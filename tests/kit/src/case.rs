//! A case: what a section of a page asks for, and what its blocks say comes of it.

use std::ops::Range;

use crate::markdown::{Section, sections};

/// What comes of a case, by the language of the block that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The model after the pass; no block where it must stay as it is.
    After,
    /// Remarks, one a line.
    Remarks,
    /// What an approximate pass lost, one output a line.
    Loss,
    /// Why the two models were not compared by numbers.
    Unchecked,
    /// Why the pass did not run.
    Error,
}

impl Outcome {
    pub(crate) const ALL: [Outcome; 5] =
        [Outcome::After, Outcome::Remarks, Outcome::Loss, Outcome::Unchecked, Outcome::Error];

    /// The language of its block.
    pub(crate) fn language(self) -> &'static str {
        match self {
            Outcome::After => "ir",
            Outcome::Remarks => "remarks",
            Outcome::Loss => "loss",
            Outcome::Unchecked => "unchecked",
            Outcome::Error => "error",
        }
    }
}

/// The texts of a case's outcomes, in the order of [`Outcome::ALL`].
pub(crate) type Outcomes = [Option<String>; 5];

/// One case of a page.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The heading.
    pub title: String,
    /// Its line, from 1.
    pub line: usize,
    /// Options of the pass: those of the page, then those of the case, each as written.
    pub options: Vec<String>,
    /// The model before.
    pub before: String,
    /// What is said to come of it.
    pub expected: Outcomes,
    /// Where each outcome stands in the page: lines from 0.
    pub places: [Option<Range<usize>>; 5],
    /// The lines of the block of the model before.
    pub before_place: Range<usize>,
}

/// Blocks that are prose.
const PROSE: &[&str] = &["", "text", "rust", "python", "console", "sh", "json", "math"];

/// Reads the cases of a page.
///
/// A case is a section with an `ir` block. A `toml` block in a section without one holds for all cases behind it.
pub(crate) fn cases(page: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut shared: Vec<String> = Vec::new();
    for section in sections(page)? {
        let is_case = section.blocks.iter().any(|block| is_ir(&block.language));
        let options = |section: &Section| {
            let tables = section.blocks.iter().filter(|block| block.language == "toml");
            tables.map(|block| block.text.clone()).collect::<Vec<_>>()
        };
        if !is_case {
            let own = options(&section);
            let stray = section.blocks.iter().find(|block| block.language != "toml" && !is_prose(&block.language));
            if let Some(block) = stray {
                return Err(format!(
                    "line {}: a block of '{}' in a section without a model; blocks of prose are {}",
                    block.lines.start + 1,
                    block.language,
                    PROSE[1..].join(", ")
                ));
            }
            if !own.is_empty() {
                shared = own;
            }
            continue;
        }
        let case = case(&section, [shared.clone(), options(&section)].concat())?;
        if let Some(other) = cases.iter().find(|other| other.title == case.title) {
            return Err(format!("lines {} and {}: two cases are called '{}'", other.line, case.line, case.title));
        }
        cases.push(case);
    }
    Ok(cases)
}

fn is_ir(language: &str) -> bool {
    matches!(language, "ir" | "onnx")
}

fn is_prose(language: &str) -> bool {
    PROSE.contains(&language)
}

fn case(section: &Section, options: Vec<String>) -> Result<Case, String> {
    let mut case = Case {
        title: section.title.clone(),
        line: section.line,
        options,
        before: String::new(),
        expected: Outcomes::default(),
        places: [const { None }; 5],
        before_place: 0..0,
    };
    let fail = |line: usize, message: String| Err(format!("line {}: {message}", line + 1));
    for block in &section.blocks {
        let language = if is_ir(&block.language) { "ir" } else { block.language.as_str() };
        if language == "ir" && case.before_place.is_empty() {
            case.before.clone_from(&block.text);
            case.before_place = block.lines.clone();
            continue;
        }
        if language == "toml" || is_prose(language) {
            continue;
        }
        let Some(index) = Outcome::ALL.iter().position(|outcome| outcome.language() == language) else {
            return fail(block.lines.start, format!("a case has no block of '{language}'"));
        };
        if case.places[index].is_some() {
            return fail(block.lines.start, format!("this case has such a block of '{language}' already"));
        }
        case.expected[index] = Some(block.text.clone());
        case.places[index] = Some(block.lines.clone());
    }
    Ok(case)
}

/// The page with what came of its cases written into their blocks: replaced in place, added behind the block before, or
/// taken out.
pub(crate) fn bless(page: &str, found: &[(Case, Outcomes)]) -> String {
    let mut edits: Vec<(Range<usize>, Vec<String>)> = Vec::new();
    for (case, outcomes) in found {
        let mut behind = case.before_place.end;
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            let block = outcomes[index].as_ref().map(|text| {
                let fence = fence_for(text);
                let lines = text.lines().map(str::to_owned);
                [format!("{fence}{}", outcome.language())].into_iter().chain(lines).chain([fence]).collect::<Vec<_>>()
            });
            match (&case.places[index], block) {
                (Some(place), Some(_)) if case.expected[index] == outcomes[index] => behind = behind.max(place.end),
                (Some(place), Some(block)) => {
                    edits.push((place.clone(), block));
                    behind = behind.max(place.end);
                }
                // With the block goes the empty line before it.
                (Some(place), None) => edits.push((place.start.saturating_sub(1)..place.end, Vec::new())),
                (None, Some(block)) => {
                    edits.push((behind..behind, [String::new()].into_iter().chain(block).collect()));
                }
                (None, None) => {}
            }
        }
    }
    // From the end, so that the places before stay right; those added at one place keep their order.
    edits.reverse();
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    for (place, block) in edits {
        let keeps_line = block.is_empty() && lines.get(place.start).is_some_and(|line| !line.trim().is_empty());
        lines.splice(place.start + usize::from(keeps_line)..place.end, block);
    }
    lines.join("\n") + "\n"
}

/// A fence longer than any in the text.
fn fence_for(text: &str) -> String {
    let longest = text.lines().map(|line| line.chars().take_while(|c| *c == '`').count()).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n```toml\nskip = []\n```\n## One\n```ir\na\n```\nbecomes\n\n```ir\nb\n```\n\n```remarks\nr\n```\n## Two\n```toml\nx = 1\n```\n```ir\nc\n```\nend\n";

    #[test]
    fn a_page_has_cases() {
        let cases = cases(PAGE).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!((cases[0].title.as_str(), cases[0].before.as_str()), ("One", "a\n"));
        assert_eq!(cases[0].expected, [Some("b\n".to_owned()), Some("r\n".to_owned()), None, None, None]);
        assert_eq!(cases[1].options, ["skip = []\n", "x = 1\n"]);
        assert_eq!(cases[1].expected, Outcomes::default());
    }

    #[test]
    fn blessing_replaces_adds_and_takes_out() {
        let cases = cases(PAGE).unwrap();
        let keep = |case: &Case| (case.clone(), case.expected.clone());
        assert_eq!(bless(PAGE, &[keep(&cases[0]), keep(&cases[1])]), PAGE);
        let first: Outcomes = [Some("new\n".into()), None, None, None, None];
        let second: Outcomes = [Some("d\n".into()), None, None, None, Some("e\n".into())];
        let blessed = bless(PAGE, &[(cases[0].clone(), first), (cases[1].clone(), second)]);
        assert!(blessed.contains("becomes\n\n```ir\nnew\n```\n## Two"), "{blessed}");
        assert!(blessed.contains("c\n```\n\n```ir\nd\n```\n\n```error\ne\n```\nend\n"), "{blessed}");
    }

    #[test]
    fn mistakes_are_named_by_line() {
        assert!(super::cases("# A\n```ir\na\n```\n```remark\n```\n").unwrap_err().starts_with("line 5: a case has no"));
        assert!(super::cases("# A\n```ir\na\n```\n# A\n```ir\n```\n").unwrap_err().starts_with("lines 1 and 5"));
        assert!(super::cases("# A\n```remarks\na\n```\n").unwrap_err().starts_with("line 2: a block of"));
    }
}
