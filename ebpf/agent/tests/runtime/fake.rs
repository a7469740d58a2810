//! A runtime of one pod with two containers.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use k8s_cri::v1::{
    Container, ContainerMetadata, ListContainersRequest, ListContainersResponse,
    ListPodSandboxRequest, ListPodSandboxResponse, PodSandbox, PodSandboxMetadata,
};
use tokio::net::UnixListener;
use tonic::body::Body;
use tonic::codegen::{Service, http, tokio_stream};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Answers until it is dropped.
#[derive(Debug)]
pub(crate) struct Fake {
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub(crate) fn start(socket: &Path) -> Self {
        Self::with(socket, Speaks::V1)
    }

    /// It has none of the methods of `v1`.
    pub(crate) fn of_another_version(socket: &Path) -> Self {
        Self::with(socket, Speaks::Other)
    }

    fn with(socket: &Path, speaks: Speaks) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(socket).unwrap()
        };
        let (accepted, incoming) = tokio::sync::mpsc::channel(8);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if accepted
                    .send(Ok::<_, std::io::Error>(stream))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
        let server = tonic::transport::Server::builder().add_service(speaks);
        runtime.spawn(server.serve_with_incoming(incoming));
        Self { _runtime: runtime }
    }
}

#[derive(Clone, Copy, Debug)]
enum Speaks {
    V1,
    Other,
}

impl NamedService for Speaks {
    const NAME: &'static str = "runtime.v1.RuntimeService";
}

impl Service<http::Request<Body>> for Speaks {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: http::Request<Body>) -> Self::Future {
        let method = req.uri().path().rsplit('/').next().map(str::to_owned);
        let speaks = *self;
        Box::pin(async move {
            Ok(match (speaks, method.as_deref()) {
                (Speaks::V1, Some("ListPodSandbox")) => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    grpc.unary(Sandboxes, req).await
                }
                (Speaks::V1, Some("ListContainers")) => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    grpc.unary(Containers, req).await
                }
                _ => Status::unimplemented("unknown method").into_http(),
            })
        })
    }
}

struct Sandboxes;

impl UnaryService<ListPodSandboxRequest> for Sandboxes {
    type Response = ListPodSandboxResponse;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _: Request<ListPodSandboxRequest>) -> Self::Future {
        let sandbox = PodSandbox {
            id: "s1".into(),
            metadata: Some(PodSandboxMetadata {
                name: "web-0".into(),
                namespace: "shop".into(),
                uid: "u1".into(),
                attempt: 0,
            }),
            labels: HashMap::from([("app.kubernetes.io/name".into(), "web".into())]),
            ..PodSandbox::default()
        };
        let items = vec![sandbox];
        ready(Ok(Response::new(ListPodSandboxResponse { items })))
    }
}

struct Containers;

impl UnaryService<ListContainersRequest> for Containers {
    type Response = ListContainersResponse;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _: Request<ListContainersRequest>) -> Self::Future {
        let of = |id: &str, name: &str| Container {
            id: id.into(),
            pod_sandbox_id: "s1".into(),
            metadata: Some(ContainerMetadata {
                name: name.into(),
                attempt: 0,
            }),
            ..Container::default()
        };
        let mut app = of("c1", "other");
        let label = "io.kubernetes.container.name".to_owned();
        app.labels.insert(label, "app".into());
        let containers = vec![app, of("c2", "sidecar")];
        ready(Ok(Response::new(ListContainersResponse { containers })))
    }
}
