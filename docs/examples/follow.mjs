// node follow.mjs, from Node 22 on; before that: node --experimental-websocket follow.mjs
import { subscribe } from "../../web/client/client.js";

for await (const { type, time_s, data } of subscribe("ws://127.0.0.1:8765/ws", { types: ["tempo", "genre"] })) {
  switch (type) {
    case "tempo":
      console.log(`${time_s} s: ${data.bpm} BPM, ${data.state}`);
      break;
    case "genre":
      console.log(`${time_s} s: ${data.label} (${Math.round(100 * data.confidence)} %)`);
      break;
    case "lost":
      console.log(`no analyzer: ${data.reason}; next attempt in ${Math.round(data.retry_s)} s`);
  }
}
