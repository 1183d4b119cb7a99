//! The child's life: set up, confined layer by layer with the probes in between, then questions and answers.
//!
//! Owns: the order of the layers. Must not: go on when a layer cannot be put on.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde_json::Value;

use super::filter::Filter;
use super::probe::Prober;
use super::wire::{self, Report, Role, Setup, ToChild, ToParent};
use super::{control, errno, files, kernel, namespaces};
use crate::evidence::isolation::{Layer, Level};

/// Largest file in bytes that a confined child may write: a change that never ends cannot fill the disk for good.
const MAX_FILE: u64 = 1 << 40;
/// Most open files: SQLite needs a handful for each connection.
const MAX_OPEN: u64 = 1024;

/// A layer that could not be put on.
pub(super) struct Refusal {
    pub(super) layer: Layer,
    pub(super) step: &'static str,
    pub(super) errno: String,
}

impl Refusal {
    pub(super) fn new(layer: Layer, step: &'static str) -> impl FnOnce(io::Error) -> Refusal {
        move |error| Refusal { layer, step, errno: errno::of(&error) }
    }
}

/// The pipe to the parent.
pub(super) struct Out(File);

impl Out {
    pub(super) fn send(&mut self, message: &ToParent) -> io::Result<()> {
        let line = wire::line(message)?;
        if line.len() > wire::MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer is over the limit"));
        }
        self.0.write_all(&line)
    }
}

/// See [`super::child::serve`].
pub(super) fn serve(handle: impl FnMut(&mut dyn FnMut(Value), Value) -> Value) -> ExitCode {
    match start(handle) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}"); // the parent may be gone: nobody else to tell
            ExitCode::from(3)
        }
    }
}

/// The next message, or the end.
pub(super) fn receive(input: &mut impl BufRead) -> io::Result<Option<ToChild>> {
    match wire::read_line(input)? {
        None => Ok(None),
        Some(line) => Ok(Some(serde_json::from_slice(&line)?)),
    }
}

fn start(handle: impl FnMut(&mut dyn FnMut(Value), Value) -> Value) -> io::Result<()> {
    kernel::close_from(3)?;
    let mut out = Out(kernel::take_stdout()?);
    let mut input = io::stdin().lock();
    let Some(ToChild::Setup(setup)) = receive(&mut input)? else {
        return Err(io::Error::other("no setup: this verb is for the program's own use"));
    };
    match setup.role {
        Role::Control => control::run(&setup, &mut input, &mut out),
        Role::Confined(level) => {
            die_with_the_parent()?;
            let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get() as u32);
            if parent != Some(setup.parent) {
                return Err(io::Error::other("the parent is gone"));
            }
            match confine(level, &setup, &mut input, &mut out)? {
                Ok(report) => {
                    out.send(&ToParent::Confined(report))?;
                    answer(handle, &mut input, &mut out)
                }
                Err(Refusal { layer, step, errno }) => {
                    out.send(&ToParent::Unavailable { layer, step: step.to_owned(), errno })
                }
            }
        }
    }
}

/// The kernel kills this process when its parent ends. A fork and a change of credentials undo it.
pub(super) fn die_with_the_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// The parent has to learn the process id first, so that nothing in here runs unseen.
pub(super) fn wait_for_go(input: &mut impl BufRead) -> io::Result<()> {
    match receive(input)? {
        Some(ToChild::Go) => Ok(()),
        _ => Err(io::Error::other("the parent did not say go")),
    }
}

fn confine(
    level: Level,
    setup: &Setup,
    input: &mut impl BufRead,
    out: &mut Out,
) -> io::Result<Result<Report, Refusal>> {
    limits()?;
    let mut prober = Prober::new(level, setup);
    if level == Level::Three {
        if let Err(refusal) = namespaces::enter(setup, input, out, &mut prober)? {
            return Ok(Err(refusal));
        }
    } else {
        out.send(&ToParent::Started { pid: std::process::id() })?;
        wait_for_go(input)?;
    }
    Ok(drop_privilege(setup, &mut prober).map(|enforced| Report {
        answers: prober.finish(),
        landlock_abi: enforced.abi,
        landlock_status: enforced.status.to_owned(),
    }))
}

fn drop_privilege(setup: &Setup, prober: &mut Prober) -> Result<files::Enforced, Refusal> {
    let capabilities = Refusal::new(Layer::Capabilities, "giving up capabilities");
    give_up_capabilities().map_err(capabilities)?;
    prober.ask(Layer::Capabilities);
    prober.before(Layer::Landlock);
    let refused = |layer, step| move |errno| Refusal { layer, step, errno };
    let enforced = files::confine_to(&setup.clone_directory(), &setup.walls)
        .map_err(refused(Layer::Landlock, "restricting to the clone's directory"))?;
    prober.ask(Layer::Landlock);
    let filter =
        Filter::compile(setup.walls.engine).map_err(refused(Layer::Seccomp, "compiling the filter"))?;
    filter.put_on().map_err(refused(Layer::Seccomp, "putting the filter on"))?;
    prober.ask(Layer::Seccomp);
    Ok(enforced)
}

pub(super) fn give_up_capabilities() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, none)?;
    die_with_the_parent()
}

/// One byte of core dump, not none: a core that is piped to a program is limited by nothing but this very number
/// (`core(5)`), and a core holds rows. No limit on processes: the filter denies making any, and the kernel counts a user's others with them.
fn limits() -> io::Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    for (resource, most) in [(Resource::Core, 1), (Resource::Fsize, MAX_FILE), (Resource::Nofile, MAX_OPEN)] {
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |now| now.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

fn answer(
    mut handle: impl FnMut(&mut dyn FnMut(Value), Value) -> Value,
    input: &mut impl BufRead,
    out: &mut Out,
) -> io::Result<()> {
    while let Some(message) = receive(input)? {
        let ToChild::Ask(question) = message else {
            return Err(io::Error::other("a message that is no question"));
        };
        let mut lost = Ok(());
        let answer = handle(
            &mut |notice| {
                if lost.is_ok() {
                    lost = out.send(&ToParent::Notice(notice));
                }
            },
            question,
        );
        lost?;
        out.send(&ToParent::Answer(answer))?;
    }
    out.send(&ToParent::Ended)
}
