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
    browser
        .value("document.getElementById('text').focus(); document.getElementById('text').select()");
    browser.ask("Input.insertText", json!({ "text": text }));
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
    let wrong = |browser: &mut Browser| {
        browser
            .value("[...document.querySelectorAll('#gutter .wrong')].map(one => one.textContent)")
    };
    assert_eq!(wrong(&mut browser), json!([]));
    edit(&mut browser, "body:\n add rax, 1\n muv rax, 1\n");
    until(
        &mut browser,
        "document.getElementById('wrong').textContent.includes('unknown instruction `muv`')",
    );
    assert_eq!(wrong(&mut browser), json!(["3"]));
    assert_eq!(
        browser.value("document.querySelectorAll('#numbers td').length"),
        json!(0)
    );
    edit(&mut browser, "body:\n mov rax, [0]\n");
    until(
        &mut browser,
        "document.getElementById('wrong').textContent.includes('SIGSEGV')",
    );
    assert_eq!(wrong(&mut browser), json!(["2"]));
    edit(&mut browser, &adds(5));
    until_instructions(&mut browser, 5);
    // A line of the code and its line of the text belong together.
    browser.point_at("#code tr[data-line='3']");
    until(
        &mut browser,
        "document.querySelector('#gutter .linked')?.textContent === '3'",
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
    let said: Vec<&Value> = [
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Log.entryAdded",
    ]
    .into_iter()
    .flat_map(|method| browser.told(method))
    .collect();
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn it_can_be_read_in_light_in_dark_and_on_a_phone() {
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let Some((_served, mut browser)) = opened(&fresh(scheme), scheme, 390) else {
            return;
        };
        let found = browser.value(CONTRASTS);
        assert!(found["texts"].as_u64() > Some(20), "{found}");
        assert_eq!(found["faint"], json!([]), "{scheme}");
        grounds.push(found["ground"].clone());
        let found = browser.value(TOO_WIDE);
        let right = json!({"screen": 390, "window": 390, "page": 390, "wide": []});
        assert_eq!(found, right, "{scheme}");
    }
    assert_ne!(grounds[0], grounds[1]);
}
