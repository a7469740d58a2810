//! The containers of a pod.

use std::collections::HashMap;
use std::path::PathBuf;

use k8s_cri::v1::{
    ContainerConfig, ContainerMetadata, CreateContainerRequest, ExecSyncRequest, ImageSpec, Mount,
    RemoveContainerRequest, StartContainerRequest, StopContainerRequest,
};
use tonic::Status;

use super::{Cri, Pod, config};

/// What kubelet calls a container, among its labels.
const NAME: &str = "io.kubernetes.container.name";

/// A container as kubelet describes it.
#[derive(Clone, Debug)]
pub struct Container {
    /// The name, unique in its pod.
    pub name: String,
    /// How often it was started before.
    pub attempt: u32,
    /// The image, which the runtime has.
    pub image: String,
    /// What it runs.
    pub command: Vec<String>,
    /// Folders of the node that it sees at the same place, and cannot write to.
    pub sees: Vec<PathBuf>,
}

impl Cri {
    /// Starts `container` in the sandbox `sandbox` of `pod`, and returns its id.
    ///
    /// # Errors
    /// The runtime's.
    pub fn start_container(
        &self,
        sandbox: &str,
        pod: &Pod,
        container: &Container,
    ) -> Result<String, Status> {
        let Container {
            name,
            attempt,
            image,
            command,
            sees,
        } = container.clone();
        let mount = |path: PathBuf| Mount {
            container_path: path.display().to_string(),
            host_path: path.display().to_string(),
            readonly: true,
            ..Default::default()
        };
        let described = ContainerConfig {
            labels: HashMap::from([(NAME.to_owned(), name.clone())]),
            metadata: Some(ContainerMetadata { name, attempt }),
            image: Some(ImageSpec {
                image,
                ..Default::default()
            }),
            command,
            mounts: sees.into_iter().map(mount).collect(),
            ..Default::default()
        };
        let mut client = self.client.clone();
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(described),
            sandbox_config: Some(config(pod)),
        };
        let made = self.runtime.block_on(client.create_container(request))?;
        let container_id = made.into_inner().container_id;
        let request = StartContainerRequest {
            container_id: container_id.clone(),
        };
        self.runtime.block_on(client.start_container(request))?;
        Ok(container_id)
    }

    /// Runs `command` in the container `id`, and returns what it prints.
    ///
    /// # Panics
    /// When the runtime cannot, or the command fails.
    pub fn exec(&self, id: &str, command: &[&str]) -> String {
        let request = ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: command.iter().map(|&word| word.to_owned()).collect(),
            timeout: 30,
        };
        let mut client = self.client.clone();
        let answer = self.runtime.block_on(client.exec_sync(request));
        let answer = answer.expect("run a command in a container").into_inner();
        let [out, err] = [answer.stdout, answer.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(answer.exit_code, 0, "{command:?}: {out}{err}");
        out
    }

    /// Kills the container `id` and removes it.
    ///
    /// # Errors
    /// The runtime's.
    pub fn remove_container(&self, id: &str) -> Result<(), Status> {
        let mut client = self.client.clone();
        let container_id = id.to_owned();
        let stop = StopContainerRequest {
            container_id: container_id.clone(),
            timeout: 0,
        };
        self.runtime.block_on(client.stop_container(stop))?;
        let remove = RemoveContainerRequest { container_id };
        self.runtime
            .block_on(client.remove_container(remove))
            .map(drop)
    }
}
