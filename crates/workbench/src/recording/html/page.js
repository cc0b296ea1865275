(function () {
  var root = document.documentElement;
  function byId(id) { return document.getElementById(id); }
  function fold(open) {
    Array.prototype.forEach.call(document.querySelectorAll("details"), function (it) { it.open = open; });
  }
  function show() {
    var it = location.hash && byId(location.hash.slice(1));
    if (it && it.tagName === "DETAILS") { it.open = true; it.scrollIntoView(); }
  }
  byId("language").addEventListener("click", function () {
    var next = root.getAttribute("data-lang") === "en" ? "zh" : "en";
    root.setAttribute("data-lang", next);
    root.lang = next;
  });
  byId("open").addEventListener("click", function () { fold(true); });
  byId("close").addEventListener("click", function () { fold(false); });
  addEventListener("hashchange", show);
  show();
})();
