//! Runs each scenario in `scenarios.mjs` on a separate application.

use std::process::Stdio;

use harness::{App, AppBuilder, root, without};

/// Runs a scenario in Chromium against an application that has no users yet.
async fn scenario(name: &str, builder: AppBuilder) {
    if ["chromium", "node", "npm"].into_iter().any(without) {
        return;
    }
    let app = builder.start().await;
    let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
    let chromium = chromium.into_iter().find(|path| root().join(path).exists());
    let output = tokio::process::Command::new("node")
        .arg(root().join("tests/console/scenarios.mjs"))
        .arg(name)
        .env("URL", app.url())
        .env("MODULES", root().join("target/npm/package.json"))
        .env("CHROMIUM", chromium.unwrap_or("chromium"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("node runs");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    app.stop();
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {$(
        #[tokio::test]
        async fn $test() {
            scenario($name, App::builder()).await;
        }
    )*};
}

scenarios! {
    a_user_is_found_by_name_and_by_email: "look_up",
    a_double_click_and_a_retry_award_once: "award_once",
    points_are_redeemed_if_there_are_enough: "redeem",
    a_change_of_points_is_reversed_once: "reverse",
    promotion_gives_the_tier_that_is_earned: "promote",
    editing_sends_what_was_changed_and_keeps_the_rest: "edit",
    a_created_user_is_shown_and_a_refused_one_explained_at_its_fields: "create",
    erasing_asks_with_the_name_of_the_user: "erase",
    what_changed_in_the_meantime_is_shown_and_nothing_done: "conflict",
    everything_can_be_done_by_keyboard: "keyboard",
    the_list_pages_through_all_users_and_filters_by_tier: "list",
    each_page_of_ten_thousand_users_takes_one_request: "ten_thousand",
    old_entries_of_a_history_can_be_read: "long_history",
    failures_are_explained_and_records_are_shown_as_text: "failures",
    every_view_fits_a_narrow_screen: "narrow",
    every_view_is_accessible_in_dark_mode: "dark",
    every_view_is_accessible: "accessible",
    every_view_is_accessible_on_a_phone: "accessible_when_narrow",
    the_reference_shows_the_operations: "reference",
}

#[tokio::test]
async fn a_token_is_asked_for_and_kept_for_the_tab() {
    let builder = App::builder()
        .variable("write_tokens", "WRITE")
        .variable("read_tokens", "READ");
    scenario("tokens", builder).await;
}

#[tokio::test]
#[ignore = "writes docs/console; `cargo xtask screenshots` runs it"]
async fn screenshots_are_taken() {
    scenario("screenshots", App::builder()).await;
}
