/**
 * The figures of each method as the page reads them: the fields of the dataclasses in `deliberation/outcomes/<method>.py`.
 *
 * On the public page an aggregate over too few people has `suppressed` set and none of its numbers.
 */
import { t } from '../i18n';
import type { OutcomeItem, OutcomeResult, Outcomes } from '../protocol/types';

export interface Suppressible {
  people: number | null;
  suppressed?: true;
}
export interface GroupVotes extends Suppressible {
  group: string;
  agrees: number;
  disagrees: number;
}
export interface StatementVotes extends Suppressible {
  item: string;
  agrees: number;
  disagrees: number;
  consensus: number;
  divide: number;
  by_group: GroupVotes[];
}
export interface Representative extends Suppressible {
  item: string;
  direction: 'agree' | 'disagree';
  votes: number;
  share: number;
}
export interface OpinionGroup extends Suppressible {
  id: string;
  centre?: [number, number];
  representative?: Representative[];
}
export interface OpinionGroups {
  enough: boolean;
  people: number;
  groups: OpinionGroup[];
  statements: StatementVotes[];
  consensus: string[];
  next_agenda: Array<{ item: string; why: 'divides' | 'vague' }>;
  rows?: { participants: string[]; x: number[]; y: number[]; groups: string[] };
}
export interface SegmentAgreement extends Suppressible {
  segment: string;
  agreement: number | null;
}
/** A text that was drafted from statements; nobody has voted on it. */
export interface Draft {
  text: string;
  items: string[];
  method: 'model' | 'extraction';
  model: string;
  prompt: string;
}
export interface Clause extends Suppressible {
  draft?: Draft;
  bridge?: number;
}
export interface LeftOut extends Suppressible {
  agreed?: Array<{ item: string }>;
  draft?: Draft | null;
}
export interface Agreement {
  segment: string;
  segments: string[];
  statements: Array<Suppressible & { item: string; agreement: number | null; bridge: number | null; polarisation: number | null; by_segment?: SegmentAgreement[] }>;
  bridging: string[];
  clauses: Clause[];
  inference: { accuracy: number; majority_accuracy: number; held_out: number } | null;
}
export interface Bridging {
  items: Array<Suppressible & { item: string; intercept: number; support: number; accepted: boolean }>;
}
export interface Slate {
  size: number;
  people: number;
  seats: Array<Suppressible & { item: string; seats: number; supporters: number; mean_utility: number }>;
  justified: boolean;
  left_out: LeftOut | null;
}
export interface Ballots extends Suppressible {
  rule: 'approval' | 'plurality' | 'irv' | 'schulze' | 'weighted' | 'quadratic';
  rounds: Array<{ scores: Record<string, number>; exhausted: number; eliminated: string[] }>;
  winners: string[];
  order: string[][];
  scores: Array<{ option: string; score: number; share: number }>;
}
export interface Change {
  statements: Array<Suppressible & { item: string; once_only: number; before: number; after: number; change: number; low: number | null; high: number | null; up: number; down: number; p_adjusted: number | null }>;
}

export interface Found {
  outcomes: Outcomes;
  item: (id: string) => OutcomeItem | undefined;
  text: (id: string) => string;
  votes: Map<string, StatementVotes>;
}

export function figures<T>(outcomes: Outcomes, method: string): T | null {
  const result = outcomes.results.find((one: OutcomeResult) => one.method === method);
  return result ? (result.figures as unknown as T) : null;
}

export function found(outcomes: Outcomes): Found {
  const items = new Map(outcomes.items.map((item) => [item.id, item]));
  const groups = figures<OpinionGroups>(outcomes, 'opinion-groups');
  return {
    outcomes,
    item: (id) => items.get(id),
    text: (id) => items.get(id)?.text ?? id,
    votes: new Map((groups?.statements ?? []).map((one) => [one.item, one])),
  };
}

/** Group "0" is A, "1" is B, and so on. */
export function groupName(id: string): string {
  return /^\d$/.test(id) ? String.fromCharCode(65 + Number(id)) : id;
}

/** The colour class of a group; a letter always stands beside it. */
export function groupSeat(id: string): string {
  return `seat-${(/^\d+$/.test(id) ? Number(id) % 8 : 0) + 1}`;
}

export function tooFew(outcomes: Outcomes): string {
  return t('outcomes.suppressed', { n: outcomes.minimum });
}
