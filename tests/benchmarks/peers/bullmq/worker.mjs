// No-op jobs for BullMQ on Redis: `node worker.mjs fill`, `work` or `send`; see ../script.py.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

// The packages are installed outside of the source tree.
const require = createRequire(`${process.env.NODE_ENVIRONMENT}/`);
const { Queue, Worker } = require("bullmq");
const { Redis } = require("ioredis");

const { JOBS, RATE, REDIS_URL, TUNING } = process.env;
const CHUNK = 1000;
const now = () => performance.timeOrigin + performance.now();

function connect() {
  const url = new URL(REDIS_URL);
  return new Redis(url.protocol === "unix:" ? url.pathname : url.href, { maxRetriesPerRequest: null });
}

async function fill() {
  const queue = new Queue("bench", { connection: connect() });
  for (let left = Number(JOBS); left > 0; left -= CHUNK) {
    const size = Math.min(left, CHUNK);
    await queue.addBulk(Array.from({ length: size }, () => ({ name: "noop", data: {} })));
  }
  process.exit();
}

async function send() {
  const queue = new Queue("bench", { connection: connect() });
  await queue.waitUntilReady();
  const begin = now() + 100;
  const sending = [];
  for (let number = 0; number < Number(JOBS); number += 1) {
    await sleep(Math.max(begin + (number * 1000) / Number(RATE) - now(), 0));
    sending.push(queue.add("noop", { sent: now() }));
  }
  await Promise.all(sending);
  process.exit();
}

function work() {
  const waits = [];
  let number = 0;
  const noop = async (job) => {
    number += 1;
    if (number === 1) console.log(JSON.stringify({ first: now() / 1000 }));
    if (job.data.sent) waits.push(now() - job.data.sent);
    if (number === Number(JOBS)) console.log(JSON.stringify({ last: now() / 1000, waits }));
  };
  new Worker("bench", noop, { connection: connect(), ...JSON.parse(TUNING) });
}

await { fill, send, work }[process.argv[2]]();
