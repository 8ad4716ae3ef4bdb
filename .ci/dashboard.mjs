// What a person does with the dashboard: read it, filter, rerun a job, delete one. With a folder for screenshots.
import { open } from "./browser.mjs";

const [driver, dashboard, shots] = process.argv.slice(2);
const { go, shows, click, shot, run, complaints, close } = await open(driver, shots);
try {
  await go(dashboard);
  await shows("done\n6", "person.created", "dead\n0");
  await shot("list");
  await click("#counts a", "done");
  await shows("Rerun all of these");
  await click("td a", "1");
  await shows("Stored", "\"eventName\": \"person.created\"", "Rerun …");
  await shot("job");
  await click("a", "Rerun …");
  await shows("Rerun 1 job?");
  await shot("confirm");
  await click("button", "Rerun");
  await shows("done\n6");
  await click("td a", "2");
  await shows("Delete …");
  await click("a", "Delete …");
  await shows("Delete 1 job?");
  await click("button", "Delete");
  // By the script, which its own policy lets run.
  await run("window.old = document.getElementById('counts').innerHTML = ''");
  await shows("done\n5");
  const refused = await complaints();
  if (refused.length > 0) throw new Error(`the browser complains: ${JSON.stringify(refused)}`);
} finally {
  await close();
}
