// SPDX-License-Identifier: Apache-2.0
// Put into a flame graph and run by a browser: what a person would do, and what it did, as attributes of the root.
(function () {
	const root = document.documentElement;
	const frames = [...root.querySelectorAll("svg.f")];
	const named = (name) => frames.find((frame) => frame.getAttribute("data-name") === name);
	const say = (name, value) => root.setAttribute("data-" + name, value);
	const shown = () => frames.filter((frame) => frame.style.display !== "none").length;
	const input = root.querySelector("input");
	const typed = (word) => {
		input.value = word;
		input.dispatchEvent(new Event("input"));
		return root.querySelector(".found").textContent.trim() + "/" + root.querySelectorAll(".hit").length;
	};
	const escape = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
	say("before", shown() + "/" + named("query").getAttribute("width"));
	say("controls", root.querySelector(".controls").getAttribute("visibility"));
	named("query").dispatchEvent(new MouseEvent("click", { bubbles: true }));
	say("zoomed", shown() + "/" + named("query").getAttribute("width") + "/" + named("parse").style.display +
		"/" + named("GET /users").getAttribute("class"));
	say("label", named("query").querySelector("text").textContent);
	escape();
	say("reset", shown() + "/" + named("query").getAttribute("width") + "/" + named("parse").style.display);
	say("found", typed("QuEr"));
	say("all", typed("a"));
	escape();
	say("nothing", root.querySelectorAll(".hit").length + input.value);
	named("parse").dispatchEvent(new MouseEvent("mouseenter"));
	say("details", root.querySelector(".details").textContent);
})();
