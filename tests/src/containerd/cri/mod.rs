//! A small client of the container runtime interface, as kubelet uses it.

mod containers;

pub use containers::Container;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use k8s_cri::v1::{
    LinuxPodSandboxConfig, ListPodSandboxRequest, PodSandboxConfig, PodSandboxMetadata,
    PodSandboxState, PodSandboxStatusRequest, RemovePodSandboxRequest, RunPodSandboxRequest,
    StatusRequest, StopPodSandboxRequest,
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Nothing in a test takes this long; a call that does has hung.
const DEADLINE: Duration = Duration::from_mins(1);

/// A connection to a runtime's socket. Calls block, and may be made from many threads at once.
#[derive(Debug)]
pub struct Cri {
    runtime: Runtime,
    client: RuntimeServiceClient<Channel>,
}

/// A pod as kubelet describes it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The name, unique in its namespace.
    pub name: String,
    /// The Kubernetes namespace.
    pub namespace: String,
    /// The unique id of this incarnation of the pod.
    pub uid: String,
    /// Which of the pod's sandboxes it is: kubelet counts up while an earlier one is still known.
    pub attempt: u32,
    /// Annotations of the pod.
    pub annotations: HashMap<String, String>,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// The parent of its cgroups.
    pub cgroup: String,
}

/// What the runtime says of a pod sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Whether it runs with its network in place.
    pub ready: bool,
    /// Its address, unless it has none or is not ready.
    pub address: Option<IpAddr>,
    /// Its network namespace as a path inside the enclosure.
    pub netns: PathBuf,
}

impl Cri {
    /// Connects to the runtime that listens on `socket`.
    ///
    /// # Panics
    /// When nothing listens there.
    pub fn connect(socket: &Path) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("start an async runtime");
        let client = runtime
            .block_on(client(socket))
            .expect("connect to the runtime");
        Self { runtime, client }
    }

    /// Whether a runtime listens on `socket` and says that it is ready, apart from its network.
    pub fn answers(socket: &Path) -> bool {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("async runtime");
        runtime.block_on(async {
            let Ok(mut client) = client(socket).await else {
                return false;
            };
            client
                .status(StatusRequest { verbose: false })
                .await
                .is_ok()
        })
    }

    /// Whether the runtime has loaded a CNI configuration.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn network_is_ready(&self) -> bool {
        let mut client = self.client.clone();
        let status = self
            .runtime
            .block_on(client.status(StatusRequest { verbose: false }));
        let status = status
            .expect("ask for the runtime's status")
            .into_inner()
            .status;
        let conditions = status.map(|status| status.conditions).unwrap_or_default();
        conditions
            .iter()
            .any(|condition| condition.r#type == "NetworkReady" && condition.status)
    }

    /// Runs a sandbox for `pod` and returns its id.
    ///
    /// # Errors
    /// The runtime's, which quotes the plugin's.
    pub fn run(&self, pod: &Pod) -> Result<String, Status> {
        let request = RunPodSandboxRequest {
            config: Some(config(pod)),
            ..Default::default()
        };
        let mut client = self.client.clone();
        let answer = self.runtime.block_on(client.run_pod_sandbox(request))?;
        Ok(answer.into_inner().pod_sandbox_id)
    }

    /// What the runtime says of the sandbox `id`; `None` when it knows none of that id.
    ///
    /// # Panics
    /// When it answers with another error, or without what it promises.
    pub fn status(&self, id: &str) -> Option<Sandbox> {
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: id.to_owned(),
            verbose: true,
        };
        let mut client = self.client.clone();
        let answer = match self.runtime.block_on(client.pod_sandbox_status(request)) {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::NotFound => return None,
            Err(status) => panic!("ask for the status of sandbox {id}: {status}"),
        };
        let status = answer.status.expect("a status");
        let info = answer
            .info
            .get("info")
            .expect("details, which were asked for");
        let info: Value = serde_json::from_str(info).expect("details in JSON");
        let address = status.network.and_then(|network| network.ip.parse().ok());
        Some(Sandbox {
            ready: status.state == i32::from(PodSandboxState::SandboxReady),
            address,
            netns: network_namespace(&info).unwrap_or_default(),
        })
    }

    /// Stops the sandbox `id`; its network is gone when this succeeds.
    ///
    /// # Errors
    /// The runtime's, which quotes the plugin's.
    pub fn stop(&self, id: &str) -> Result<(), Status> {
        let request = StopPodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let mut client = self.client.clone();
        self.runtime
            .block_on(client.stop_pod_sandbox(request))
            .map(drop)
    }

    /// Removes the sandbox `id`, stopping it first if need be.
    ///
    /// # Errors
    /// The runtime's, which quotes the plugin's.
    pub fn remove(&self, id: &str) -> Result<(), Status> {
        let request = RemovePodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let mut client = self.client.clone();
        self.runtime
            .block_on(client.remove_pod_sandbox(request))
            .map(drop)
    }

    /// The ids of all sandboxes, stopped ones as well.
    ///
    /// # Panics
    /// When the runtime does not answer.
    pub fn sandboxes(&self) -> Vec<String> {
        let mut client = self.client.clone();
        let request = ListPodSandboxRequest { filter: None };
        let answer = self.runtime.block_on(client.list_pod_sandbox(request));
        let items = answer.expect("list the sandboxes").into_inner().items;
        items.into_iter().map(|sandbox| sandbox.id).collect()
    }
}

fn config(pod: &Pod) -> PodSandboxConfig {
    let Pod {
        name,
        namespace,
        uid,
        attempt,
        annotations,
        labels,
        cgroup,
    } = pod.clone();
    PodSandboxConfig {
        hostname: name.clone(),
        metadata: Some(PodSandboxMetadata {
            name,
            uid,
            namespace,
            attempt,
        }),
        annotations,
        labels,
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: cgroup,
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn client(
    socket: &Path,
) -> Result<RuntimeServiceClient<Channel>, Box<dyn std::error::Error + Send + Sync>> {
    let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display()))?.timeout(DEADLINE);
    Ok(RuntimeServiceClient::new(endpoint.connect().await?))
}

/// The path of the network namespace in the runtime's description of a sandbox.
fn network_namespace(info: &Value) -> Option<PathBuf> {
    let namespaces = info.pointer("/runtimeSpec/linux/namespaces")?.as_array()?;
    let network = namespaces
        .iter()
        .find(|n| n.get("type").is_some_and(|t| t == "network"))?;
    network.get("path")?.as_str().map(PathBuf::from)
}
