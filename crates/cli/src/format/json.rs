//! The list that programs read; its fields are fixed, and may only be added to.

use loopmend_model::Finding;

pub fn json(findings: &[Finding]) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(findings)?;
    text.push('\n');
    Ok(text)
}
