//! Which records of a block fulfil a predicate.
//!
//! A test looks at the block's text as a whole where it can, and only at records that the tests before it have left.

use std::sync::Arc;

use super::lines::Lines;
use super::needle::Needle;
use super::predicate::{Leaf, Predicate};
use crate::block::container::Corrupt;
use crate::block::mask::Mask;
use crate::block::spelling::SpelledId;
use crate::block::view::View;
use crate::source::Source;

/// The records of `among` that fulfil `predicate`.
pub fn evaluate(predicate: &Predicate, block: &View<'_>, among: Mask) -> Result<Mask, Corrupt> {
    if among.is_empty() {
        return Ok(among);
    }
    match predicate {
        Predicate::All => Ok(among),
        Predicate::Leaf(leaf) => evaluate_leaf(leaf, block, among),
        Predicate::Not(part) => {
            let mut rest = among.clone();
            rest.minus(&evaluate(part, block, among)?);
            Ok(rest)
        }
        Predicate::And(parts) => parts.iter().try_fold(among, |among, part| evaluate(part, block, among)),
        Predicate::Or(parts) => {
            let (mut found, mut rest) = (Mask::none(among.records()), among);
            for part in parts {
                let more = evaluate(part, block, rest.clone())?;
                rest.minus(&more);
                found.or(&more);
            }
            Ok(found)
        }
    }
}

fn evaluate_leaf(leaf: &Leaf, block: &View<'_>, mut among: Mask) -> Result<Mask, Corrupt> {
    match leaf {
        Leaf::Line(needle) => return on_lines(needle, block, among),
        Leaf::LineRegex(regex) => {
            if !regex.may_be_in(block.text()?) {
                return Ok(Mask::none(among.records()));
            }
            let raw = block.restored()?;
            return Ok(regex.find(&Lines::new(raw, raw, block.lengths()?), among));
        }
        Leaf::Key(path, test) => {
            let raw = block.restored()?;
            let lines = Lines::new(raw, raw, block.lengths()?);
            among.retain(|record| path.any(&raw[lines.content(record)], |value| test.passes(value)));
        }
        Leaf::KeyExists(path) => {
            let raw = block.restored()?;
            let lines = Lines::new(raw, raw, block.lengths()?);
            among.retain(|record| path.exists(&raw[lines.content(record)]));
        }
        Leaf::Service(test) => of_sources(block, &mut among, |source| test.passes(source.service.as_bytes()))?,
        Leaf::Host(test) => of_sources(block, &mut among, |source| test.passes(source.host.as_bytes()))?,
        Leaf::File(test) => of_sources(block, &mut among, |source| test.passes(&source.path))?,
        Leaf::Source(test) => {
            of_sources(block, &mut among, |source| test.passes(source.id.simple().to_string().as_bytes()))?;
        }
        Leaf::Label(name, test) => of_sources(block, &mut among, |source| {
            source.labels.iter().any(|(known, value)| known == name && test.passes(value.as_bytes()))
        })?,
        Leaf::Level(levels) => {
            let severities = block.severities()?;
            among.retain(|record| levels >> severities[record].min(15) & 1 == 1);
        }
        Leaf::Time(from, to) => {
            let times = block.times()?;
            among.retain(|record| (*from..*to).contains(&times[record]));
        }
        Leaf::Txn(wanted) => with_ids(block, &mut among, |id| wanted.iter().any(|wanted| wanted.same(&id.canonical)))?,
        Leaf::TxnExists => {
            let counts = block.ids()?.counts;
            among.retain(|record| counts[record] > 0);
        }
    }
    Ok(among)
}

fn on_lines(needle: &Needle, block: &View<'_>, among: Mask) -> Result<Mask, Corrupt> {
    let restored = |among: Mask| {
        let (raw, lower) =
            if needle.needs_lower() { block.restored_lower()? } else { block.restored().map(|raw| (raw, raw))? };
        if needle.find_anywhere(raw, lower, 0).is_none() {
            return Ok(Mask::none(among.records()));
        }
        Ok(with_needle(needle, &Lines::new(raw, lower, block.lengths()?), among))
    };
    if needle.may_be_hidden(block.hidden()) {
        return restored(among);
    }
    let (raw, lower) = if needle.needs_lower() { block.text_lower()? } else { block.text().map(|raw| (raw, raw))? };
    // Where the lines begin is of no interest before there is something to find.
    if needle.find_anywhere(raw, lower, 0).is_none() {
        return Ok(Mask::none(among.records()));
    }
    let lines = Lines::new(raw, lower, block.lengths()?);
    let mut found = with_needle(needle, &lines, among);
    let mut doubtful = found.clone();
    doubtful.retain(|record| needle.is_beside_hidden(&raw[lines.content(record)], &lower[lines.content(record)]));
    if !doubtful.is_empty() {
        found.minus(&doubtful);
        found.or(&restored(doubtful)?);
    }
    Ok(found)
}

fn with_needle(needle: &Needle, lines: &Lines<'_>, mut among: Mask) -> Mask {
    let in_line = |record: usize, from: usize| {
        let content = lines.content(record);
        let (raw, lower) = (&lines.raw[content.clone()], &lines.lower[content.clone()]);
        needle.find(raw, lower, from.saturating_sub(content.start)).is_some()
    };
    if among.is_sparse() {
        among.retain(|record| in_line(record, 0));
        return among;
    }
    let mut found = Mask::none(among.records());
    let mut at = 0;
    while let Some(begin) = needle.find_anywhere(lines.raw, lines.lower, at) {
        let Some(record) = lines.record_at(begin) else { break };
        // What stands across two lines, or goes on, is none; then the rest of the line is looked at.
        if among.has(record) && in_line(record, begin) {
            found.set(record);
        }
        at = lines.end(record);
    }
    found
}

fn of_sources(block: &View<'_>, among: &mut Mask, passes: impl Fn(&Arc<Source>) -> bool) -> Result<(), Corrupt> {
    let passing: Vec<bool> = block.sources()?.iter().map(passes).collect();
    if passing.iter().all(|passes| *passes) {
        return Ok(());
    }
    let mut passes = Vec::with_capacity(among.records());
    for run in block.runs()? {
        passes.resize(passes.len() + run.records as usize, passing[run.source as usize]);
    }
    among.retain(|record| passes[record]);
    Ok(())
}

fn with_ids(block: &View<'_>, among: &mut Mask, passes: impl Fn(&SpelledId) -> bool) -> Result<(), Corrupt> {
    let ids = block.ids()?;
    let passing: Vec<bool> = ids.dictionary.iter().map(passes).collect();
    if !passing.contains(&true) {
        *among = Mask::none(among.records());
        return Ok(());
    }
    let mut at = 0;
    let begins: Vec<usize> = ids
        .counts
        .iter()
        .map(|count| {
            at += usize::from(*count);
            at - usize::from(*count)
        })
        .collect();
    among.retain(|record| {
        let references = &ids.references[begins[record]..][..usize::from(ids.counts[record])];
        references.iter().any(|reference| passing[*reference as usize])
    });
    Ok(())
}
