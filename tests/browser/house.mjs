// What the tests play in: real aggregators, real agents, the demo shop, and log files that a test writes itself. Everything listens on
// loopback on free ports, lies in a folder of its own, and is ended by the process that was started.
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const programs = process.env.CLEW_PROGRAMS ?? join(root, "target/debug");
/** Longer than this nothing takes, on a machine that does other things as well. */
export const PATIENCE_MS = 60_000;

/**
 * Asks until the answer is true; what was asked last is told when it never is.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | null | undefined | false> | T | null | undefined | false} question
 * @returns {Promise<T>}
 */
export async function until(what, question) {
  const end = Date.now() + PATIENCE_MS;
  let last = "";
  for (;;) {
    try {
      const answer = await question();
      if (answer) return answer;
    } catch (error) {
      last = String(error);
    }
    if (Date.now() > end) throw new Error(`waited in vain: ${what} ${last}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** A program that runs until it is stopped or killed. */
class Program {
  /** @param {string} name @param {string[]} args */
  constructor(name, args) {
    const path = join(programs, name);
    if (!existsSync(path)) throw new Error(`${path} is not there; build it with: cargo build --workspace --bins`);
    this.said = "";
    this.child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"] });
    const listen = (/** @type {Buffer} */ bytes) => (this.said = (this.said + bytes).slice(-200_000));
    this.child.stdout.on("data", listen);
    this.child.stderr.on("data", listen);
    this.ended = new Promise((done) => this.child.once("exit", done));
  }

  /** @param {RegExp} form */
  async says(form) {
    return until(`${form} in: ${this.said.slice(-2000)}`, () => form.exec(this.said.replaceAll(/\u001b\[[0-9;]*m/g, "")));
  }

  /** @param {NodeJS.Signals} signal */
  async end(signal = "SIGTERM") {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }
}

/** An aggregator with as many agents as hosts, in a folder that goes when it closes. */
export class House {
  static async open() {
    const house = new House();
    try {
      await house.start();
    } catch (error) {
      await house.close();
      throw error;
    }
    return house;
  }

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "clew-browser-"));
    /** @type {Map<string, Program>} */
    this.agents = new Map();
    this.url = "";
    this.grpc = "";
    /** @type {Program | null} */
    this.aggregator = null;
  }

  /** Starts the aggregator; at the addresses that it had, if it was stopped. */
  async start() {
    const config = join(this.folder, "aggregator.toml");
    const [grpcListen, httpListen] = [this.grpc, this.url].map((url) => (url === "" ? "127.0.0.1:0" : new URL(url).host));
    writeFileSync(config, `data_dir = "${this.folder}/data"\ngrpc_listen = "${grpcListen}"\nhttp_listen = "${httpListen}"\n`);
    this.aggregator = new Program("clew-aggregator", ["run", "--config", config]);
    const [, grpc, http] = await this.aggregator.says(/grpc="?([\d.:]+)"?.*http="?([\d.:]+)/);
    this.grpc = `http://${grpc}`;
    this.url = `http://${http}`;
  }

  /** Runs `clew-aggregator token`; answers what it prints. @param {...string} args */
  async token(...args) {
    const command = new Program("clew-aggregator", ["token", "--config", join(this.folder, "aggregator.toml"), ...args]);
    await command.ended;
    if (command.child.exitCode !== 0) throw new Error(`token ${args.join(" ")}: ${command.said}`);
    return /clew_[\w-]{43}/.exec(command.said)?.[0] ?? "";
  }

  async stop() {
    await this.aggregator?.end();
    this.aggregator = null;
  }

  /** The log of a service on a host. @param {string} host @param {string} service */
  log(host, service) {
    const folder = join(this.folder, "logs", host);
    mkdirSync(folder, { recursive: true });
    return join(folder, `${service}.log`);
  }

  /** @param {string} host @param {string} service @param {string[]} lines */
  write(host, service, lines) {
    appendFileSync(this.log(host, service), lines.map((line) => `${line}\n`).join(""));
  }

  /** Starts a host's agent, or starts it again. @param {string} host */
  async agent(host) {
    this.log(host, "none");
    const config = join(this.folder, `${host}.toml`);
    writeFileSync(config, `aggregator = "${this.grpc}"\nstate_dir = "${this.folder}/agent-${host}"\nhost = "${host}"\n\n[[source]]\nservice = "{name}"\ninclude = ["${this.folder}/logs/${host}/{name}.log"]\n`);
    this.agents.set(host, new Program("clew-agent", ["run", "--config", config]));
  }

  /** As kill -9 does it. @param {string} host */
  async kill(host) {
    await this.agents.get(host)?.end("SIGKILL");
    this.agents.delete(host);
  }

  /** @param {string} path @returns {Promise<any>} */
  async ask(path) {
    const response = await fetch(this.url + path);
    return response.ok ? response.json() : null;
  }

  /** Waits until an ID's transaction has so many records, and is settled unless told otherwise. @param {string} id @param {number} records @param {string} [state] */
  async transaction(id, records, state = "settled") {
    return until(`${records} records of ${id}, ${state}`, async () => {
      const answer = await this.ask(`/api/v1/transactions/${encodeURIComponent(id)}?limit=1`);
      return answer && answer.summary.records >= records && (state === "" || answer.completeness.state === state) && answer;
    });
  }

  async close() {
    for (const agent of this.agents.values()) await agent.end();
    await this.aggregator?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The demo shop with its customers, its aggregator and its agent. */
export class Shop {
  static async open() {
    const shop = new Shop();
    const [, id] = await shop.program.says(/clew(?: --server \S+)? trace ([0-9a-f]{32})/);
    const [, url] = await shop.program.says(/curl -s (http:\/\/[\d.:]+)\/api/);
    shop.id = id;
    shop.url = url;
    return shop;
  }

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "clew-shop-"));
    this.id = "";
    this.url = "";
    this.program = new Program("clew-demo", ["run", "--rate", "12", "--dir", this.folder]);
  }

  /** @param {string} path @returns {Promise<any>} */
  async ask(path) {
    const response = await fetch(this.url + path);
    return response.ok ? response.json() : null;
  }

  async close() {
    await this.program.end("SIGINT");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
