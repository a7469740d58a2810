//! Container images made by hand: no registry is ever asked.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::debian;
use crate::process;

/// The image of a pod sandbox: one static program that waits for SIGTERM.
pub const PAUSE: &str = "berth.test/pause:1";

/// The image with busybox: `sh`, `ip`, `ping`, `sleep`.
pub const BUSYBOX: &str = "berth.test/busybox:1";

/// The first process of a container gets no default action for a signal, so it needs a handler.
const PAUSE_SOURCE: &str = "\
#include <signal.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
";

/// Builds [`PAUSE`] below `folder` and returns the path of its archive in the OCI layout.
///
/// # Panics
/// When there is no C compiler, or the files cannot be written.
pub fn pause(folder: &Path) -> PathBuf {
    let root = folder.join("pause-root");
    fs::create_dir_all(&root).expect("make the image's root");
    let source = folder.join("pause.c");
    fs::write(&source, PAUSE_SOURCE).expect("write the program");
    let mut compile = Command::new(debian::require("gcc", "gcc libc6-dev"));
    compile.env("PATH", debian::PATH);
    compile.args(["-static", "-Os", "-s", "-o"]);
    process::output(compile.arg(root.join("pause")).arg(&source));
    archive(folder, &root, PAUSE, &["/pause"])
}

/// Builds [`BUSYBOX`] below `folder` and returns the path of its archive in the OCI layout.
///
/// # Panics
/// When `busybox-static` is not installed, or the files cannot be written.
pub fn busybox(folder: &Path) -> PathBuf {
    let root = folder.join("busybox-root");
    for place in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
        fs::create_dir_all(root.join(place)).expect("make the image's root");
    }
    let busybox = root.join("bin/busybox");
    fs::copy(debian::require("busybox", "busybox-static"), &busybox).expect("copy busybox");
    fs::set_permissions(&busybox, fs::Permissions::from_mode(0o755)).expect("make it a program");
    for name in ["sh", "ip", "ping", "sleep"] {
        symlink("busybox", root.join("bin").join(name)).expect("link an applet");
    }
    archive(folder, &root, BUSYBOX, &["/bin/sh"])
}

/// Packs `root` as the image `name` with one layer, in the layout of the OCI image
/// specification, and the annotations that containerd and podman take the name from.
fn archive(folder: &Path, root: &Path, name: &str, entrypoint: &[&str]) -> PathBuf {
    let short = root.file_name().unwrap_or_default();
    let layout = folder.join("layout").join(short);
    fs::create_dir_all(layout.join("blobs/sha256")).expect("make the layout");
    let layer = folder.join("layer.tar");
    tar(root, &layer);
    let layer = blob(
        &layout,
        "application/vnd.oci.image.layer.v1.tar",
        fs::read(layer).expect("read the layer"),
    );
    let config = json!({
        "architecture": architecture(), "os": "linux",
        "config": {"Entrypoint": entrypoint, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.get("digest")]},
    });
    let config = blob(
        &layout,
        "application/vnd.oci.image.config.v1+json",
        config.to_string(),
    );
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer],
    });
    let mut manifest = blob(&layout, media_type, manifest.to_string());
    if let Some(fields) = manifest.as_object_mut() {
        let names = json!({
            "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name,
        });
        fields.insert("annotations".to_owned(), names);
    }
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    let files = [
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
        ("index.json", index),
    ];
    for (file, content) in files {
        fs::write(layout.join(file), content.to_string()).expect("write the layout");
    }
    let archive = folder.join(short).with_extension("tar");
    tar(&layout, &archive);
    archive
}

/// Stores `content` under its digest and returns its descriptor.
fn blob(layout: &Path, media_type: &str, content: impl AsRef<[u8]>) -> Value {
    let content = content.as_ref();
    let blobs = layout.join("blobs/sha256");
    let unnamed = blobs.join("unnamed");
    fs::write(&unnamed, content).expect("write a blob");
    let mut sum = Command::new(debian::require("sha256sum", "coreutils"));
    let sum = process::output(sum.arg(&unnamed));
    let digest = sum.split_whitespace().next().expect("a digest");
    fs::rename(&unnamed, blobs.join(digest)).expect("name a blob");
    json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": content.len()})
}

fn tar(folder: &Path, archive: &Path) {
    let mut tar = Command::new(debian::require("tar", "tar"));
    tar.args([
        "--create",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--file",
    ]);
    process::output(tar.arg(archive).arg("-C").arg(folder).arg("."));
}

/// This machine's architecture as images spell it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
