//! `rosprobe doctor`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::Verdict;
use crate::capture::{CaptureError, CaptureMode, LiveCapture, Options};
use crate::doctor::{Check, Machine, Settings, Status};
use crate::invoker::Invoker;
use crate::lines::{Colour, Paint};
use crate::observation::AdvertisedUri;
use crate::printable::printable;
use crate::reach;

/// Can rosprobe work here, and what is odd about this machine's ROS settings
///
/// Looks at the kernel and at the rights that `rosprobe watch` needs, and holds the ROS variables of this shell against the addresses
/// and names of this machine. Run it through sudo to check the rights too: the variables are then those that sudo was called with.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// How long the master may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

pub fn run(_arguments: &Arguments) -> anyhow::Result<Verdict> {
    let machine = Machine::read();
    let mut checks = machine.checks();
    if machine.missing_capabilities.is_empty() {
        checks.extend(attached());
    }
    let machine = checks;
    let environment = ros_environment();
    let master = environment.get("ROS_MASTER_URI").and_then(|uri| AdvertisedUri::parse(uri).ok());
    let settings = Settings {
        towards_master: master.and_then(|uri| own_address_towards(&uri)),
        environment,
        hostname: nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        addresses: own_addresses(),
        resolve: &reach::resolve,
        connect: &|address, port| {
            let connected = reach::connect(SocketAddr::new(address, port), CONNECT_LIMIT);
            connected.map(drop).map_err(|error| error.to_string())
        },
    };
    let settings = settings.checks();
    let mut out = io::stdout().lock();
    let paint = Paint::for_stream(&out);
    print(&mut out, paint, "Can rosprobe watch here?", &machine)?;
    writeln!(out)?;
    print(&mut out, paint, "ROS settings of this shell", &settings)?;
    let wrong = machine.iter().chain(&settings).any(|check| check.status == Status::Error);
    Ok(if wrong { Verdict::Errors } else { Verdict::Clean })
}

fn print(out: &mut impl Write, paint: Paint, title: &str, checks: &[Check]) -> io::Result<()> {
    writeln!(out, "{}", paint.paint(Colour::Bold, title))?;
    for check in checks {
        let colour = match check.status {
            Status::Error => Colour::Red,
            Status::Warning => Colour::Yellow,
            Status::Info => Colour::Cyan,
            Status::Ok => Colour::Green,
        };
        writeln!(out, "  {:<8} {}", paint.paint(colour, check.status.word()), printable(&check.text))?;
        if let Some(remedy) = &check.remedy {
            writeln!(out, "           Fix: {}", printable(remedy))?;
        }
    }
    Ok(())
}

/// The proof: in every mode everything is loaded and attached as `rosprobe watch` does it, and let go again.
fn attached() -> Vec<Check> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let text = format!("no event loop can be made: {error}");
            return vec![Check::error(text, "allow this process more open files")];
        }
    };
    let start = |mode| runtime.block_on(async { LiveCapture::start(&Options { mode, ..Options::default() }) });
    let tried = CaptureMode::ALL.map(|mode| (mode, start(Some(mode))));
    if tried.iter().all(|(_, started)| started.is_err()) {
        return start(None).err().map(|error| refused(&error)).into_iter().collect();
    }
    let check = |(mode, started): (CaptureMode, Result<LiveCapture, CaptureError>)| match started {
        Ok(capture) => Check::ok(format!(
            "--capture-mode {mode}: {} programs load and attach",
            capture.description().programs.len()
        )),
        Err(error) => Check::info(format!("--capture-mode {mode} does not work here: {}", error.reason())),
    };
    tried.into_iter().map(check).collect()
}

/// Every error of the capture ends with its remedy.
fn refused(error: &CaptureError) -> Check {
    let text = error.to_string();
    let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, "use `rosprobe open` on a tcpdump file"));
    Check::error(what, remedy)
}

/// The shell's ROS variables: sudo keeps them from its command, but what it was called with can be read.
fn ros_environment() -> BTreeMap<String, String> {
    let before_sudo = Invoker::of_this_process().map(|invoker| invoker.environment().to_vec()).unwrap_or_default();
    let all = before_sudo.into_iter().chain(std::env::vars_os());
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    all.filter_map(text).filter(|(name, _)| name.starts_with("ROS_")).collect()
}

/// Connecting a datagram socket sends nothing; it only chooses the route.
fn own_address_towards(uri: &AdvertisedUri) -> Option<IpAddr> {
    let address = *reach::resolve(&uri.host).ok()?.first()?;
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((address, uri.port)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
    };
    interfaces.filter_map(address).collect()
}
