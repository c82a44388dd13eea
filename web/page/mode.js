// Which view the address asks for (?view=overlay, stage or projector), before anything is painted.
document.documentElement.dataset.view = new URLSearchParams(location.search).get("view") ?? "";
