// Somebody else's TypeScript against the module's types; `make check` compiles it, nothing runs it.
import { subscribe, type Gap, type Lost } from "../../web/client/client.js";

export async function show(write: (line: string) => void) {
  for await (const message of subscribe("ws://club.example/ws", { types: ["tempo", "genre"], hz: 2 })) {
    switch (message.type) {
      case "tempo":
        write(`${message.data.bpm.toFixed(1)} ${message.data.state} at ${message.time_s}`);
        // @ts-expect-error a tempo has no label
        write(message.data.label);
        break;
      case "genre":
        write(message.data.label + (message.data.sub_genre?.label ?? ""));
        break;
      case "spectrum":
        write(String(message.data.levels.length));
        break;
      case "gap":
        tell(message);
        break;
      case "lost":
        tell(message);
        break;
      default: {
        const rest: "hello" | "beat" | "key" | "loudness" | "energy" | "moment" | "level" | "status" | "summary" | "mark" = message.type;
        write(rest);
      }
    }
  }
  // @ts-expect-error there is no such type
  subscribe("ws://club.example", { types: ["rumour"] });
}

function tell({ data }: Gap | Lost): string {
  return "missed" in data ? `missed ${data.missed} of ${data.kind}` : `${data.reason}, again in ${data.retry_s} s`;
}
