//! The thread that starts every child of a confinement.
//!
//! Owns: that thread. Must not: do anything else on it. The kernel kills a confined child when the *thread* that
//! started it ends; with a thread that lives as long as the confinement, callers may ask for children from
//! wherever they like, and no child outlives its confinement.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

struct Order {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

/// Starts processes, one after the other.
pub(super) struct Starter {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Starter {
    pub(super) fn new() -> io::Result<Starter> {
        let (orders, received) = channel::<Order>();
        let thread = std::thread::Builder::new().name("starter".to_owned()).spawn(move || {
            while let Ok(Order { mut command, answer }) = received.recv() {
                let _ = answer.send(command.spawn()); // whoever asked waits for it
            }
        })?;
        Ok(Starter { orders: Some(orders), thread: Some(thread) })
    }

    pub(super) fn start(&self, command: Command) -> io::Result<Child> {
        let (answer, started) = sync_channel(1);
        let order = Order { command, answer };
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        match (sent, started.recv()) {
            (true, Ok(child)) => child,
            _ => Err(io::Error::other("the thread that starts children is gone")),
        }
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
