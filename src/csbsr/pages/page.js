"use strict";
for (const range of document.querySelectorAll("input.border")) {
  const move = () => range.parentElement.style.setProperty("--cut", range.value + "%");
  range.addEventListener("input", move);
  move();
}
for (const toggle of document.querySelectorAll("input.toggle")) {
  const layer = toggle.closest("figure").querySelector(".layer");
  const show = () => layer && layer.classList.toggle("off", !toggle.checked);
  toggle.addEventListener("change", show);
  show();
}
const choice = document.getElementById("choice");
if (choice) {
  const show = () => {
    for (const article of document.querySelectorAll("article.chosen")) article.hidden = article.dataset.choice !== choice.value;
  };
  choice.addEventListener("change", show);
  show();
}
