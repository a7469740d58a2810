//! Asks the runtime on a thread of its own, so that nobody waits for it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use k8s_cri::v1::{ListContainersRequest, ListPodSandboxRequest, PodSandbox};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::{Container, Runtime, Sandbox};
use crate::kernel::privileges::{Needs, keep_only};
use crate::model::Pod;

/// What kubelet calls a container, among its labels.
const NAME: &str = "io.kubernetes.container.name";
/// What a pod's owner calls the application.
const APP: &str = "app.kubernetes.io/name";
/// Most bytes of an answer: a thousand pods with long annotations.
const LARGEST: usize = 64 << 20;
/// Most bytes of a name: the runtime's clients may give any.
const LONGEST: usize = 512;

/// How long anything may take, and how often it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long one answer may take.
    pub deadline: Duration,
    /// How long nothing is asked after an answer, when somebody would like to know.
    pub pause: Duration,
    /// When it is asked anyhow.
    pub every: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(3),
            pause: Duration::from_millis(500),
            every: Duration::from_secs(10),
        }
    }
}

/// How asking goes.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What the runtime said last.
    pub runtime: Arc<Runtime>,
    /// Whether it answered last time; absent before the first.
    pub up: Option<bool>,
    /// Why not, in words.
    pub problem: Option<String>,
    /// How often it did not answer.
    pub failures: u64,
    /// How often it was asked.
    pub asked: u64,
}

/// Where a runtime listens: a path, or a URL that begins with `unix:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// There is to be one.
    Said(String),
    /// There may be none, and that is no trouble.
    Usual(String),
}

impl Socket {
    fn path(&self) -> &Path {
        let (Self::Said(text) | Self::Usual(text)) = self;
        let path = text.strip_prefix("unix://").unwrap_or(text);
        Path::new(path.strip_prefix("unix:").unwrap_or(path))
    }
}

#[derive(Debug, Default)]
struct State {
    told: Told,
    wanted: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread, which ends with this.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// Begins to ask the runtime that listens on `socket`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(socket: &Socket, patience: Patience) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let asking = Asking {
            shared: Arc::clone(&shared),
            socket: socket.clone(),
            patience,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name("cri".into());
        thread.spawn(move || {
            keep_only(Needs::Nothing);
            asking.run(&runtime);
        })?;
        Ok(Self { shared })
    }

    /// What is known. Never waits for the runtime.
    pub fn told(&self) -> Told {
        self.shared.state().told.clone()
    }

    /// Asks for it to be asked soon: there is a container that it has not told of.
    pub fn ask(&self) {
        self.shared.state().wanted = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
    }
}

struct Asking {
    shared: Arc<Shared>,
    socket: Socket,
    patience: Patience,
}

impl Asking {
    fn run(&self, runtime: &tokio::runtime::Runtime) {
        while !self.shared.state().over {
            self.note(runtime.block_on(self.ask()));
            self.rest();
        }
    }

    /// Waits until it is to ask again.
    fn rest(&self) {
        let Patience { pause, every, .. } = self.patience;
        let wait = |until: Duration, early: fn(&State) -> bool| {
            let state = self.shared.state();
            let waited = self
                .shared
                .changed
                .wait_timeout_while(state, until, |state| !state.over && !early(state));
            drop(waited);
        };
        wait(pause, |_| false);
        wait(every.saturating_sub(pause), |state| state.wanted);
        self.shared.state().wanted = false;
    }

    fn note(&self, answer: Result<Runtime, Problem>) {
        let mut state = self.shared.state();
        let told = &mut state.told;
        told.asked += 1;
        if matches!(
            (&self.socket, &answer),
            (Socket::Usual(_), Err(Problem::Absent))
        ) {
            told.problem = None;
            return;
        }
        told.up = Some(answer.is_ok());
        match answer {
            Ok(runtime) => {
                told.problem = None;
                if *told.runtime != runtime {
                    told.runtime = Arc::new(runtime);
                }
            }
            Err(problem) => {
                told.failures += 1;
                let socket = self.socket.path().display();
                told.problem = Some(format!("the runtime at {socket}: {problem}"));
            }
        }
    }

    async fn ask(&self) -> Result<Runtime, Problem> {
        let Patience { deadline, .. } = self.patience;
        if !self.socket.path().exists() {
            return Err(Problem::Absent);
        }
        let asked = async {
            let mut client = connect(self.socket.path()).await?;
            let sandboxes = client.list_pod_sandbox(ListPodSandboxRequest { filter: None });
            let sandboxes = sandboxes.await.map_err(Problem::said)?.into_inner().items;
            let containers = client.list_containers(ListContainersRequest { filter: None });
            let containers = containers.await.map_err(Problem::said)?.into_inner();
            Ok(runtime(sandboxes, containers.containers))
        };
        let answer = tokio::time::timeout(deadline, asked).await;
        answer.unwrap_or(Err(Problem::Slow(deadline)))
    }
}

/// Why it did not answer.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("there is no such socket")]
    Absent,
    #[error("nobody listens ({0})")]
    Down(#[from] tonic::transport::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    Slow(Duration),
    #[error("does not speak version v1 of the CRI")]
    Version,
    #[error("{}: {}", .0.code(), .0.message())]
    Said(Status),
}

impl Problem {
    fn said(status: Status) -> Self {
        match status.code() {
            Code::Unimplemented => Self::Version,
            _ => Self::Said(status),
        }
    }
}

async fn connect(path: &Path) -> Result<RuntimeServiceClient<Channel>, Problem> {
    let endpoint = Endpoint::from_shared(format!("unix:{}", path.display()))?;
    let client = RuntimeServiceClient::new(endpoint.connect().await?);
    Ok(client.max_decoding_message_size(LARGEST))
}

fn runtime(sandboxes: Vec<PodSandbox>, containers: Vec<k8s_cri::v1::Container>) -> Runtime {
    let sandboxes: BTreeMap<String, Sandbox> = sandboxes
        .into_iter()
        .map(|found| {
            let metadata = found.metadata.unwrap_or_default();
            let pod = Pod {
                namespace: short(metadata.namespace),
                name: short(metadata.name),
                uid: short(metadata.uid),
            };
            let app = found.labels.get(APP).cloned().map(short);
            (found.id, Sandbox { pod, app })
        })
        .collect();
    let named = |found: k8s_cri::v1::Container| {
        let label = found.labels.get(NAME).cloned();
        let name = label.or_else(|| found.metadata.map(|metadata| metadata.name));
        let name = short(name.filter(|name| !name.is_empty())?);
        let sandbox = found.pod_sandbox_id;
        Some((found.id, Container { name, sandbox }))
    };
    Runtime {
        containers: containers.into_iter().filter_map(named).collect(),
        sandboxes,
    }
}

fn short(mut name: String) -> String {
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST));
    }
    name
}
