function partOf(path) {
  return decodeURIComponent(path).replace(/^-/, "");
}

const path = window.location.pathname.split("/");
if (path[1] === "pods" && path.length === 4) onePod(partOf(path[2]), partOf(path[3]));
else allPods();
