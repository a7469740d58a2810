//! One etcd process, and clusters of them.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::process;

/// One member takes 0.2 s, three take two; the rest is for a busy machine.
const START: Duration = Duration::from_secs(30);
/// A port taken by somebody else between our looking and etcd's taking it is tried again.
const TRIES: usize = 5;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a member runs, listens, and keeps its data and its log.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of `data` and `log`.
    pub folder: PathBuf,
    /// The network namespace; `None` for the machine's own.
    pub namespace: Option<PathBuf>,
    /// Where clients connect to.
    pub client: SocketAddrV4,
    /// Where the other members connect to.
    pub peer: SocketAddrV4,
}

/// One etcd member. Killed when dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct Etcd {
    place: Place,
    /// `http` or `https`.
    scheme: &'static str,
    arguments: Vec<String>,
    child: Child,
    _folder: Option<TempDir>,
}

impl Etcd {
    /// Starts a single member on loopback and waits until it answers.
    ///
    /// # Panics
    /// When etcd is not installed or does not come up.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`Etcd::start`] with more arguments for etcd.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_on_loopback("http", arguments)
    }

    /// [`Etcd::start_with`] for clients with certificates, which the arguments name. Waits until
    /// the port is open only: the caller has the certificates.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    pub fn start_tls(arguments: &[&str]) -> Self {
        Self::start_on_loopback("https", arguments)
    }

    fn start_on_loopback(scheme: &'static str, arguments: &[&str]) -> Self {
        let mut log = String::new();
        for _ in 0..TRIES {
            let folder = TempDir::new().expect("temporary folder");
            let [client, peer] = [(); 2].map(|()| on_loopback());
            let place = Place {
                folder: folder.path().to_owned(),
                namespace: None,
                client,
                peer,
            };
            let arguments = alone(&place, arguments);
            let mut member = Self::run(place, scheme, arguments, Some(folder));
            if member.becomes_ready() {
                return member;
            }
            log = member.log();
        }
        panic!("etcd did not start {TRIES} times:\n{log}")
    }

    /// Starts a single member there and waits until it answers.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    pub fn start_at(place: Place) -> Self {
        let arguments = alone(&place, &[]);
        let mut member = Self::run(place, "http", arguments, None);
        member.wait_ready();
        member
    }

    /// Starts one cluster with a member at each of the places, and waits until all answer.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    pub fn start_cluster(places: &[Place]) -> Vec<Self> {
        let urls = places.iter().enumerate();
        let urls: Vec<_> = urls
            .map(|(n, at)| format!("s{n}=http://{}", at.peer))
            .collect();
        let cluster = urls.join(",");
        let members = places.iter().enumerate().map(|(n, place)| {
            let arguments = ["--name", &format!("s{n}"), "--initial-cluster", &cluster];
            let arguments = arguments.map(str::to_owned).to_vec();
            Self::run(place.clone(), "http", arguments, None)
        });
        // All have to run before any of them is healthy.
        let mut members: Vec<Self> = members.collect();
        members.iter_mut().for_each(Self::wait_ready);
        members
    }

    /// The URL clients use.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.place.client)
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddrV4 {
        self.place.client
    }

    /// Stops it in its tracks: connections stay open, nothing is answered (SIGSTOP).
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Etcd::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Kills it; connections to it are refused from then on. Its data stays.
    pub fn kill(&mut self) {
        // An error means that it has already ended, which is what was asked for.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it on the same data, killing it first if it still runs; waits until it answers.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.restart_at_once();
        self.wait_ready();
    }

    /// [`Etcd::restart`] without waiting: a member of a cluster without a majority is not ready.
    ///
    /// # Panics
    /// When the process cannot be started.
    pub fn restart_at_once(&mut self) {
        self.kill();
        self.child = spawn(&self.place, self.scheme, &self.arguments);
    }

    /// Whether it has a leader and commits. False also when nobody is there.
    pub fn is_healthy(&self) -> bool {
        self.ask("/health")
            .is_ok_and(|answer| answer.contains("\"true\""))
    }

    /// Its metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self) -> io::Result<String> {
        self.ask("/metrics")
    }

    /// How many requests of its key-value service it has answered so far.
    ///
    /// # Panics
    /// When it does not tell.
    pub fn answered(&self) -> f64 {
        let metrics = self.metrics().expect("etcd's metrics");
        let counters = metrics.lines().filter(|line| {
            line.starts_with("grpc_server_handled_total")
                && line.contains("grpc_service=\"etcdserverpb.KV\"")
        });
        let numbers = counters.map(|line| line.rsplit(' ').next().expect("a value"));
        numbers
            .map(|number| number.parse::<f64>().expect("a number"))
            .sum()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.place.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn run(
        place: Place,
        scheme: &'static str,
        arguments: Vec<String>,
        folder: Option<TempDir>,
    ) -> Self {
        let child = spawn(&place, scheme, &arguments);
        Self {
            place,
            scheme,
            arguments,
            child,
            _folder: folder,
        }
    }

    fn wait_ready(&mut self) {
        let ready = self.becomes_ready();
        assert!(ready, "etcd did not come up:\n{}", self.log());
    }

    /// Waits until it has a leader; before that the port is open but commits time out.
    #[expect(clippy::disallowed_methods, reason = "polls with a deadline")]
    fn becomes_ready(&mut self) -> bool {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline && self.child.try_wait().expect("wait for etcd").is_none() {
            let ready = match self.scheme {
                "http" => self.is_healthy(),
                _ => TcpStream::connect(self.place.client).is_ok(),
            };
            if ready {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let client = self.place.client;
        match &self.place.namespace {
            None => ask(client, path),
            Some(namespace) => process::run_in(namespace, || ask(client, path)),
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids fit in 31 bits");
        // An error means that it has already ended.
        kill(Pid::from_raw(pid), signal).unwrap_or_default();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of loopback that nobody listens on at this moment.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    on_loopback().port()
}

fn on_loopback() -> SocketAddrV4 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind to loopback");
    let port = listener
        .local_addr()
        .expect("a bound socket's address")
        .port();
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// A member that is alone elects itself, and may do so quickly.
fn alone(place: &Place, more: &[&str]) -> Vec<String> {
    let cluster = format!("s0=http://{}", place.peer);
    let own = ["--name", "s0", "--initial-cluster", &cluster];
    let quick = ["--heartbeat-interval", "20", "--election-timeout", "200"];
    let all = own.iter().chain(&quick).chain(more);
    all.map(ToString::to_string).collect()
}

fn spawn(place: &Place, scheme: &str, arguments: &[String]) -> Child {
    let Place {
        folder,
        namespace,
        client,
        peer,
    } = place;
    let [client, peer] = [format!("{scheme}://{client}"), format!("http://{peer}")];
    let mut command = Command::new("etcd");
    command.arg("--data-dir").arg(folder.join("data"));
    command.args(["--listen-client-urls", &client]);
    command.args(["--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer]);
    command.args(["--initial-advertise-peer-urls", &peer]);
    command.args(["--log-level", "warn", "--logger", "zap"]);
    command.args(arguments);
    let [log, same] = [open_log(folder), open_log(folder)];
    command.stdin(Stdio::null()).stdout(log).stderr(same);
    if let Some(namespace) = namespace {
        process::begins_in(&mut command, namespace);
    }
    process::dies_with_this_thread(&mut command);
    command.spawn().unwrap_or_else(|error| {
        panic!(
            "cannot start etcd ({error}): run scripts/setup.sh, \
             or `apt-get install --no-install-recommends etcd-server`"
        )
    })
}

fn open_log(folder: &Path) -> File {
    let path = folder.join("log");
    let opened = File::options().create(true).append(true).open(&path);
    opened.unwrap_or_else(|error| panic!("open {}: {error}", path.display()))
}

fn ask(client: SocketAddrV4, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&client.into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
