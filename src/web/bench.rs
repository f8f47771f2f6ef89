//! The one place where texts are measured, and who waits for it.
//!
//! Correct means: one is measured at a time; no more wait than the queue has room for; whoever is gone, or has waited too
//! long, is not measured for; and what is measured for somebody who leaves is given up.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::oneshot;

use crate::worker::parent::Beside;

/// How many may wait; the page sends one at a time.
pub const WAITING: usize = 8;
/// How long a request may wait for its turn and its answer.
pub const LATE: Duration = Duration::from_secs(30);

/// What can be asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// What templates there are.
    Templates,
    /// The numbers of a text.
    Run(Text),
    /// Two texts in turns.
    Compare(Pair),
    /// The first point of a sweep.
    Sweep(Scan),
    /// The next one.
    Next(Begun),
    /// A report as a page by itself.
    Page(Shown),
}

/// Two texts, the base first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The texts.
    pub texts: [Text; 2],
}

/// A parameter of a text over its range.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The text.
    pub text: Text,
    /// The parameter and its range, as behind `-P`.
    pub axis: String,
}

/// A sweep that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// What its first answer calls it.
    pub id: u64,
}

/// A report that was answered before.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The whole document.
    pub report: serde_json::Value,
}

/// A text to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What it is called.
    pub name: String,
    /// The template itself.
    pub text: String,
    /// Its parameters.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Whether its misses are wanted, branch by branch, which takes as long again.
    #[serde(default)]
    pub misses: bool,
}

/// What there is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// JSON.
    pub document: String,
    /// Whether what was asked cannot be answered.
    pub is_refused: bool,
}

/// Does what is asked for. What is beside it says when nobody wants the answer any more.
pub type Measure<'a> = Box<dyn FnMut(&Wanted, &mut dyn Beside) -> Answer + Send + 'a>;

/// Why nobody answers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Too many wait.
    Full,
    /// It has waited too long.
    Late,
    /// The process ends.
    Ending,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Busy::Full => write!(f, "{WAITING} others wait already; ask again in a moment"),
            Busy::Late => write!(
                f,
                "it was not done within {} s; ask again, or for less",
                LATE.as_secs()
            ),
            Busy::Ending => f.write_str("the server is about to end"),
        }
    }
}

struct Order {
    wanted: Wanted,
    asked: Instant,
    reply: oneshot::Sender<Answer>,
}

/// The way to the thread that measures.
#[derive(Debug, Clone)]
pub struct Bench {
    orders: SyncSender<Order>,
}

impl Bench {
    /// A bench, and what has to run on a thread of its own for as long as anybody may ask: workers end with the thread
    /// that started them.
    pub fn new<'a>(mut measure: Measure<'a>) -> (Bench, impl FnOnce() + Send + 'a) {
        let (orders, waiting) = sync_channel(WAITING);
        (Bench { orders }, move || work(&waiting, &mut measure))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ask(&self, wanted: Wanted) -> Result<Answer, Busy> {
        let (reply, answer) = oneshot::channel();
        let order = Order {
            wanted,
            asked: Instant::now(),
            reply,
        };
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => Busy::Full,
            TrySendError::Disconnected(_) => Busy::Ending,
        })?;
        match tokio::time::timeout(LATE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Busy::Ending),
            Err(_) => Err(Busy::Late),
        }
    }
}

fn work(waiting: &Receiver<Order>, measure: &mut Measure<'_>) {
    while let Ok(order) = waiting.recv() {
        let is_late = order.asked.elapsed() >= LATE;
        if is_late || order.reply.is_closed() {
            continue;
        }
        let answer = measure(&order.wanted, &mut Customer(&order.reply));
        // Whoever is gone meanwhile misses nothing.
        let _ = order.reply.send(answer);
    }
}

/// Somebody who waits, as long as he does.
struct Customer<'a>(&'a oneshot::Sender<Answer>);

impl Beside for Customer<'_> {
    fn is_over(&mut self) -> bool {
        self.0.is_closed()
    }
}
