// The answers of the API as the page reads them. What an older or newer aggregator may leave out is optional here, so that the
// compiler has the page ask first. openapi.json is the source; times are RFC 3339.

export interface Id { value: string; kind: string; spelling?: string; records?: number }

export interface LogRecord {
  time: string; time_origin: string; severity: string; service: string; host: string; file: string;
  source_id: string; position: number; length: number; ids: Id[]; flags: string[]; labels?: Record<string, string>;
  line: string; line_base64?: string;
  index?: number; lane?: number; at?: string; at_uncertainty_ns?: number; order_uncertain?: boolean;
  span_id?: string; parent_span_id?: string;
}

export interface Meta {
  took_ms: number; partial?: boolean; truncated?: boolean; warnings?: string[];
  records_scanned?: number; bytes_scanned?: number; blocks?: number; blocks_scanned?: number; blocks_damaged?: number;
}

export interface AgentBehind {
  agent_id: string; host: string; watermark: string | null; behind_ns?: number | null; connected?: boolean;
  last_seen?: string; retired?: boolean;
}

export interface Gap {
  host?: string; service?: string; file?: string; begin: number; end: number; open_ended: boolean; reason: string; declared: string;
}

export interface Completeness {
  state: string; as_of?: string; agents_behind?: AgentBehind[]; agents_gone?: AgentBehind[]; gaps?: Gap[];
  removed_before?: string | null; reasons?: string[];
  complete_to?: string | null; days_set_aside?: string[]; blocks_damaged?: number;
}

export interface Lane {
  lane: number; service: string; host: string; first: string; last: string; duration_ns: number; records: number;
  errors: number; first_error?: number | null; caller?: number | null; activity?: [number, number, number][];
}

export interface Silence {
  after: number; before: number; duration_ns: number; uncertainty_ns?: number; from_lane: number; to_lane: number;
  begin?: string; end?: string;
}

export interface Fold { begin: number; end: number; records: number; lane: number; template: string }

export interface Clock {
  agent_id: string; host: string; offset_ns: number | null; uncertainty_ns: number | null; measured: boolean; stepped: boolean;
}

export interface Summary {
  time_min: string; time_max: string; duration_ns: number; records: number; errors: number;
  entry_service: string | null; exit_service?: string | null; services: string[]; hosts: string[]; first_error?: number | null;
}

export interface Bridges {
  joined?: { id: string; kind: string; via: string; records: number; support?: number; by?: Partial<LogRecord> }[];
  not_followed?: { id: string; kind: string; via: string; reason: string; detail?: string }[];
}

export interface Transaction {
  id: string; ids: Id[]; bridges?: Bridges; summary: Summary; completeness: Completeness; clocks?: Clock[];
  lanes?: Lane[]; silences?: Silence[]; folds?: Fold[]; records: LogRecord[]; next_cursor: string | null; meta: Meta;
}

export interface Finding {
  kind: string; service?: string | null; template?: string; text: string; here?: number | null; p50?: number | null;
  p95?: number | null; seen_in?: number; of?: number;
}

export interface Brief {
  id: string; time_min: string; time_max?: string; duration_ns: number; records: number; errors: number;
  entry_service?: string | null; services?: string[];
}

export interface Comparison {
  id: string; entry_service?: string | null; compared: number; from?: string; to?: string; findings: Finding[];
  others?: Brief[]; meta?: Meta;
}

export interface Percentiles { p50?: number; p90?: number; p95?: number; p99?: number; max?: number }

export interface TransactionsAnswer {
  transactions: Brief[]; next_cursor: string | null;
  summary?: {
    transactions: number; with_errors: number; error_rate?: number; duration_ns?: Percentiles;
    by_entry?: { entry_service: string | null; transactions: number; with_errors: number; duration_ns?: Percentiles }[];
    by_time?: { time: string; transactions: number; with_errors: number; p50_ns?: number; p95_ns?: number }[];
    interval_ns?: number;
  };
  meta?: Meta;
}

export interface Service {
  service: string; records: number; errors: number; records_per_s?: number; entries?: number; entries_with_errors?: number;
  p50_ns?: number | null; p95_ns?: number | null; hosts?: string[]; by_time?: [number, number, number][];
}

export interface ServicesAnswer { services: Service[]; from?: string; to?: string; meta?: Meta }

export interface Edge { from: string; to: string; evidence: string; support: number; against?: number }

export interface GraphAnswer { services: string[]; edges: Edge[]; transactions?: number; meta?: Meta }

export interface SearchAnswer { records: LogRecord[]; next_cursor: string | null; meta: Meta }

export interface HistogramAnswer {
  interval_ns: number; by: string; from: string; to: string; records: number;
  buckets: { time: string; records: number; by: Record<string, number> }[]; meta: Meta;
}

export interface Facet {
  field: string; records: number; distinct: number; exact: boolean; values: { value: string; records: number }[];
}

export interface FacetsAnswer { records: number; facets: Facet[]; meta: Meta }

export interface FieldsAnswer {
  sampled_records: number; built_in: string[];
  fields: { name: string; types: string[]; records: number; samples: string[] }[]; meta: Meta;
}

export interface ContextAnswer { source: string; position: number; records: LogRecord[]; meta: Meta }

export interface Source {
  source_id: string; service: string; file: string; labels?: Record<string, string> | null; begin: number; frontier: number;
  records: number; stored_bytes: number; skipped_bytes?: Record<string, number>; gap_bytes: number; open: boolean;
  last: string; gaps: Gap[];
}

export interface Agent {
  agent_id: string; host: string; version: string; connected: boolean; last_seen: string; watermark: string | null;
  behind_ns: number | null; unread_bytes: number; clock_offset_ns: number | null; clock_uncertainty_ns: number | null;
  sources: Source[]; retired?: boolean;
}

export interface AgentsAnswer { agents: Agent[] }

export interface StorageAnswer {
  records: number; head: { records: number; raw_bytes: number; blocks: number }; wal_bytes: number;
  partitions: { day: string; documents: number; segments: number; records: number; bytes: number }[];
  set_aside: { path: string; bytes: number }[]; disk_bytes: number; healthy: boolean;
}

export interface ReadyAnswer { ready: boolean; checks: { name: string; ok: boolean; detail: string }[] }

export interface ProblemAnswer {
  type?: string; title?: string; status?: number; detail?: string; parameter?: string;
  position?: { begin: number; end: number }; excerpt?: string; hint?: string | null;
  searched?: { partitions?: number; records?: number; from?: string | null; to?: string | null }; agents_behind?: AgentBehind[];
}

export interface Session { locked: boolean; name: string | null; scopes: string[] }
