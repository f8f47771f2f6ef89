//! The page of `serve` in a real browser: what somebody sees who edits.
//!
//! Correct means: the number follows the edit, what is wrong is said and marked where it stands, the page goes on after
//! a crash, all of it can be read in light, in dark and on a phone, and nothing leaves the machine.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::browser::Browser;
use crate::common::{fresh, wait_until};
use crate::page_browser::{CONTRASTS, TOO_WIDE};
use crate::serve::Served;

/// The page with its first numbers.
fn opened(place: &Path, scheme: &str, width: u32) -> Option<(Served, Browser)> {
    let mut browser = Browser::start(place)?;
    let served = Served::start(place);
    browser.open_at(&served.address(), scheme, width);
    until(
        &mut browser,
        "document.querySelector('#numbers td')?.textContent === 'cycles'",
    );
    Some((served, browser))
}

/// Waits until an expression is true in the page.
fn until(browser: &mut Browser, expression: &str) {
    wait_until(expression, || browser.value(expression) == json!(true));
}

/// Types a text in place of the one that stands there.
fn edit(browser: &mut Browser, text: &str) {
    browser.value("document.querySelector('.cm-content').focus()");
    const CONTROL: u32 = 2;
    for event in ["rawKeyDown", "keyUp"] {
        let all = json!({
            "type": event, "key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": CONTROL,
        });
        browser.ask("Input.dispatchKeyEvent", all);
    }
    browser.ask("Input.insertText", json!({ "text": text }));
}

/// The numbers of the lines that have a mark in the margin.
fn marked(browser: &mut Browser) -> Value {
    browser.value(
        "(() => { const lines = [...document.querySelectorAll('.cm-lineNumbers .cm-gutterElement')]; \
         return [...document.querySelectorAll('.cm-lint-marker-error')].map(mark => { \
         const place = mark.getBoundingClientRect(); const middle = place.top + place.height / 2; \
         return lines.find(line => { const own = line.getBoundingClientRect(); \
         return own.height > 0 && own.top <= middle && middle < own.bottom; })?.textContent; }); })()",
    )
}

/// What of the text is underlined.
const UNDERLINED: &str =
    "[...document.querySelectorAll('.cm-lintRange-error')].map(one => one.textContent)";

/// Chooses a value of a list, or fills in a field.
fn set(browser: &mut Browser, selector: &str, value: &str) {
    browser.value(&format!(
        "(() => {{ const one = document.querySelector({selector:?}); one.value = {value:?}; \
         one.dispatchEvent(new Event('change')); }})()"
    ));
}

fn click(browser: &mut Browser, id: &str) {
    browser.value(&format!("document.getElementById('{id}').click()"));
}

fn open_part(browser: &mut Browser, id: &str) {
    browser.value(&format!("document.getElementById('{id}').open = true"));
}

/// What went wrong in the page, by its own word or the browser's.
fn complaints(browser: &Browser) -> Vec<&Value> {
    let methods = [
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Log.entryAdded",
    ];
    methods
        .into_iter()
        .flat_map(|method| browser.told(method))
        .collect()
}

fn adds(count: usize) -> String {
    format!("body:\n{}", " add rax, 1\n".repeat(count))
}

/// Waits until the instructions of an iteration are so many.
fn until_instructions(browser: &mut Browser, count: usize) {
    let rows = "[...document.querySelectorAll('#numbers tr')]";
    until(
        browser,
        &format!(
            "{rows}.some(row => row.innerText.replaceAll('\\t', ' ').startsWith('instructions {count}.00 exact'))"
        ),
    );
}

#[test]
fn the_number_follows_the_edit_and_what_is_wrong_is_marked_where_it_stands() {
    let Some((served, mut browser)) = opened(&fresh("edited"), "light", 1280) else {
        return;
    };
    edit(&mut browser, &adds(4));
    until_instructions(&mut browser, 4);
    edit(&mut browser, &adds(8));
    until_instructions(&mut browser, 8);
    assert_eq!(marked(&mut browser), json!([]));
    edit(&mut browser, "body:\n add rax, 1\n muv rax, 1\n");
    until(
        &mut browser,
        "document.getElementById('wrong').textContent.includes('unknown instruction `muv`')",
    );
    assert_eq!(marked(&mut browser), json!(["3"]));
    assert_eq!(browser.value(UNDERLINED), json!(["muv"]));
    // A column counts characters, whatever the editor counts in.
    edit(
        &mut browser,
        "body:\n add rax, 1\n\n /* \u{1f600} */ muv rax, 1\n",
    );
    until(
        &mut browser,
        "document.getElementById('wrong').textContent.includes('line 4')",
    );
    assert_eq!(marked(&mut browser), json!(["4"]));
    assert_eq!(browser.value(UNDERLINED), json!(["muv"]));
    assert_eq!(
        browser.value("document.querySelectorAll('#numbers td').length"),
        json!(0)
    );
    edit(&mut browser, "body:\n mov rax, [0]\n");
    until(
        &mut browser,
        "document.getElementById('wrong').textContent.includes('SIGSEGV')",
    );
    assert_eq!(marked(&mut browser), json!(["2"]));
    edit(&mut browser, &adds(5));
    until_instructions(&mut browser, 5);
    // A line of the code and its line of the text belong together.
    browser.point_at("#code tr[data-line='3']");
    until(
        &mut browser,
        "document.querySelector('.cm-line.linked')?.textContent === ' add rax, 1'",
    );
    // What the address keeps opens the same text again.
    let address = browser.value("location.href");
    let address = address.as_str().expect("an address");
    assert!(
        address.starts_with(&served.address()) && address.contains('#'),
        "{address}"
    );
    browser.open_at("about:blank", "light", 1280);
    browser.open_at(address, "light", 1280);
    until_instructions(&mut browser, 5);
}

#[test]
fn a_parameter_is_a_control_that_changes_the_number() {
    let Some((_served, mut browser)) = opened(&fresh("parameters"), "light", 1280) else {
        return;
    };
    browser.value(
        "document.getElementById('controls').open = true; \
         const one = document.querySelector('#params [name=targets]'); one.value = '4'; \
         one.dispatchEvent(new Event('change'))",
    );
    until(
        &mut browser,
        "decodeURIComponent(location.hash).includes('\"targets\":\"4\"') && \
         document.getElementById('state').textContent.includes('ms after')",
    );
    until(
        &mut browser,
        "document.querySelector('#params [name=targets]').value === '4'",
    );
}

#[test]
fn nothing_leaves_the_machine_and_nothing_goes_wrong_in_the_page() {
    let Some((served, mut browser)) = opened(&fresh("alone"), "light", 1280) else {
        return;
    };
    edit(&mut browser, &adds(4));
    until_instructions(&mut browser, 4);
    until(&mut browser, "location.hash.includes('add')");
    let asked: Vec<String> = browser
        .told("Network.requestWillBeSent")
        .filter_map(|one| one["request"]["url"].as_str().map(str::to_string))
        .filter(|url| url != "data:,")
        .collect();
    assert!(asked.len() >= 4, "{asked:?}");
    let own = served.address();
    assert!(asked.iter().all(|url| url.starts_with(&own)), "{asked:?}");
    let said = complaints(&browser);
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn two_tabs_are_measured_in_turns_and_each_keeps_its_text() {
    let Some((_served, mut browser)) = opened(&fresh("tabs"), "light", 1280) else {
        return;
    };
    edit(&mut browser, &adds(2));
    until_instructions(&mut browser, 2);
    click(&mut browser, "add");
    edit(&mut browser, &adds(8));
    until_instructions(&mut browser, 8);
    open_part(&mut browser, "comparison");
    click(&mut browser, "compare");
    let rows = "[...document.querySelectorAll('#compared tr')].map(row => row.innerText.replaceAll('\\t', ' '))";
    until(
        &mut browser,
        &format!("{rows}.some(row => row.startsWith('instructions 2.00 8.00 4.000× exact more'))"),
    );
    let told = browser.value(rows).to_string();
    assert!(told.contains("tab 1 tab 2"), "{told}");
    // With its interval, and its basis.
    assert!(
        told.contains("cycles ") && told.contains("measured"),
        "{told}"
    );
    browser.value("document.querySelector('#tabs button').click()");
    until_instructions(&mut browser, 2);
    // One that is wrong is named, and costs the comparison alone.
    edit(&mut browser, "body:\n muv rax, 1\n");
    // What was compared was another text.
    until(
        &mut browser,
        "document.querySelectorAll('#compared tr').length === 0
         && document.getElementById('unlike').textContent.includes('compare them again')",
    );
    click(&mut browser, "compare");
    until(
        &mut browser,
        "document.getElementById('unlike').textContent.includes('tab 1: line 2, column 2: unknown instruction `muv`')",
    );
    let address = browser.value("location.href");
    browser.open_at("about:blank", "light", 1280);
    browser.open_at(address.as_str().expect("an address"), "light", 1280);
    until(
        &mut browser,
        "document.querySelectorAll('#tabs button').length === 2",
    );
    click(&mut browser, "close");
    until_instructions(&mut browser, 8);
    let said = complaints(&browser);
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn misses_are_there_by_site_for_who_looks_at_them() {
    let Some((_served, mut browser)) = opened(&fresh("sites"), "light", 1280) else {
        return;
    };
    assert_eq!(
        browser.value("document.querySelectorAll('#sites td').length"),
        json!(0)
    );
    open_part(&mut browser, "by-site");
    // With a number or with the reason why there is none: others may disturb it.
    until(
        &mut browser,
        "/^site \\d+ 1 .*(inferred|unsupported)/.test([...document.querySelectorAll('#sites tr')].at(-1)\
         ?.innerText.replaceAll('\\t', ' ') ?? '')",
    );
    let asked = browser.told("Network.requestWillBeSent");
    let bodies: Vec<&str> = asked
        .filter_map(|one| one["request"]["postData"].as_str())
        .collect();
    let wants_misses = |body: &&str| body.contains("\"misses\":true");
    assert!(
        !bodies.is_empty() && !wants_misses(&bodies[0]),
        "{bodies:?}"
    );
    assert!(bodies.iter().any(wants_misses), "{bodies:?}");
}

#[test]
fn a_sweep_draws_its_points_as_they_come_and_can_be_stopped_and_kept() {
    let place = fresh("swept");
    let Some((_served, mut browser)) = opened(&place, "light", 1280) else {
        return;
    };
    let kept = place.join("kept");
    std::fs::create_dir(&kept).expect("a folder");
    let there = json!({"behavior": "allow", "downloadPath": kept});
    browser.ask("Page.setDownloadBehavior", there);
    open_part(&mut browser, "sweep");
    set(&mut browser, "#axis", "targets");
    let suggested = browser.value("document.getElementById('values').value");
    assert_eq!(suggested, json!("1..16:x2"));
    set(&mut browser, "#values", "1..4:x2");
    browser.value(
        "window.seen = new Set(); new MutationObserver(() => \
         seen.add(document.querySelectorAll('#plot figure:first-of-type circle.point').length)) \
         .observe(document.getElementById('plot'), { childList: true })",
    );
    click(&mut browser, "scan");
    until(
        &mut browser,
        "document.getElementById('swept').textContent.startsWith('3 of 3 points')",
    );
    let seen = browser.value("[...seen].filter(count => count > 0)");
    assert_eq!(seen, json!([1, 2, 3]));
    let tip = browser.value("document.querySelector('#plot circle.point ~ title')?.textContent");
    let tip = tip.as_str().unwrap_or_default();
    assert!(
        tip.contains("itab_call") && tip.contains("measured"),
        "{tip}"
    );
    for (button, name) in [(0, "dispatchlab-sweep.html"), (1, "dispatchlab-sweep.json")] {
        browser.value(&format!(
            "document.querySelectorAll('#sweep-exports button')[{button}].click()"
        ));
        wait_until(name, || {
            // The page itself has to be asked meanwhile, or it does not go on.
            browser.value("1");
            kept.join(name).is_file()
        });
    }
    let page = std::fs::read_to_string(kept.join("dispatchlab-sweep.html")).expect("a page");
    assert!(page.starts_with("<!doctype html>") && page.contains("Over targets"));
    let report = std::fs::read_to_string(kept.join("dispatchlab-sweep.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(3));
    // One that is stopped keeps its points.
    set(&mut browser, "#values", "1..60");
    click(&mut browser, "scan");
    until(
        &mut browser,
        "document.getElementById('swept').textContent.startsWith('2 of 60 points')",
    );
    click(&mut browser, "scan");
    until(
        &mut browser,
        "document.getElementById('swept').textContent.endsWith('stopped')",
    );
    set(&mut browser, "#values", "1..400");
    click(&mut browser, "scan");
    until(
        &mut browser,
        "document.getElementById('swept').textContent.includes('at most 64 points')",
    );
    let said = complaints(&browser);
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn it_can_be_read_in_light_in_dark_and_on_a_phone() {
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let Some((_served, mut browser)) = opened(&fresh(scheme), scheme, 390) else {
            return;
        };
        for one in ["controls", "by-site", "comparison", "sweep"] {
            open_part(&mut browser, one);
        }
        set(&mut browser, "#axis", "targets");
        set(&mut browser, "#values", "1,2");
        click(&mut browser, "add");
        click(&mut browser, "compare");
        click(&mut browser, "scan");
        until(
            &mut browser,
            "document.getElementById('swept').textContent.startsWith('2 of 2') \
             && document.querySelectorAll('#compared td').length > 0",
        );
        let found = browser.value(CONTRASTS);
        assert!(found["texts"].as_u64() > Some(100), "{found}");
        assert_eq!(found["faint"], json!([]), "{scheme}");
        grounds.push(found["ground"].clone());
        let found = browser.value(TOO_WIDE);
        let right = json!({"screen": 390, "window": 390, "page": 390, "wide": []});
        assert_eq!(found, right, "{scheme}");
    }
    assert_ne!(grounds[0], grounds[1]);
}
