// The counts of the page, every two seconds, while it is looked at.
const counts = document.getElementById("counts");
setInterval(async () => {
  if (document.hidden) return;
  const answer = await fetch("?counts=1").catch(() => undefined);
  counts.classList.toggle("old", !answer?.ok);
  if (answer?.ok) counts.innerHTML = await answer.text();
}, 2000);
