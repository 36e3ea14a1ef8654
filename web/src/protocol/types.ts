// Made by `npm run generate` from the server's models. Do not edit.

export type ClientMessage = Hello | Do | MediaOffer | MediaCandidate | MediaState | MediaWant | Ping | PracticeRequest;
export type EventPayload =
  | RoomOpened
  | RoomClosed
  | StageStarted
  | StageExtended
  | StageReady
  | StageMoreTime
  | StageEnded
  | MemberJoined
  | MemberAway
  | MemberReturned
  | MemberLeft
  | ConsentGiven
  | ConsentWithdrawn
  | HandRaised
  | HandLowered
  | SpeechLanguage
  | TurnStarted
  | TurnWarned
  | TurnEnded
  | SpeechStarted
  | SpeechEnded
  | UtteranceFinal
  | UtteranceRevised
  | UtteranceNamed
  | UtteranceStruck
  | ChatPosted
  | ChatStruck
  | StatementAdded
  | StatementWithdrawn
  | VoteCast
  | BallotOpened
  | BallotCast
  | CardAdded
  | CardWithdrawn
  | CardsAlike
  | SameAnswered
  | CardsMerged
  | WiserAnswered
  | ValueTold
  | ValueReplied
  | CaseRated
  | CandidateProposed
  | RankingOpened
  | CandidatesRanked
  | CandidateChosen
  | CandidateCritiqued
  | RevisionBegun
  | StanceTaken
  | SummaryProposed
  | SummaryMarked
  | PollAnswered
  | ReportFiled
  | HelpCalled
  | HelpAnswered
  | SafetyAsked
  | SafetyAnswered
  | SafetyDecided
  | InterventionMade
  | InterventionAnswered
  | AiCalled
  | TextTranslated
  | FacilitationPaused
  | ListenerChanged
  | TranscriptionBehind
  | RecordingChanged;
export type FacilitatorCommand =
  | SendMessage
  | PauseFacilitation
  | ExtendStage
  | NextStage
  | RemoveMember
  | AnswerHelp
  | DecideSafety
  | Listen
  | CloseRoom
  | WithdrawStatement
  | WithdrawCard;
export type ParticipantCommand =
  | RaiseHand
  | LowerHand
  | SpeakLanguage
  | EndTurn
  | Ready
  | MoreTime
  | AddStatement
  | WithdrawStatement
  | CastVote
  | CastBallot
  | AddCard
  | WithdrawCard
  | AnswerSame
  | AnswerWiser
  | TellValue
  | RateCase
  | RankCandidates
  | CritiqueCandidate
  | TakeStance
  | StrikeUtterance
  | CorrectUtterance
  | NameSpeaker
  | PostChat
  | StrikeChat
  | FileReport
  | CallHelp
  | AnswerIntervention
  | AnswerSafety
  | MarkSummary
  | AnswerPoll
  | WithdrawConsent
  | Leave;
export type ServerMessage =
  | Welcome
  | Lobby
  | Update
  | Caption
  | Live
  | MediaAnswer
  | MediaSlots
  | MediaQuality
  | Overview
  | Pong
  | Ack
  | ErrorMessage
  | Bye;

/**
 * Command `id` is done (its events follow, or came already).
 */
export interface Ack {
  id: number;
  type: 'ack';
}
/**
 * Put up a values card; `call_id` names the assistant's draft that it was made from.
 */
export interface AddCard {
  /**
   * @minItems 1
   * @maxItems 8
   */
  attends: string[];
  call_id?: string | null;
  context: string;
  story?: string;
  title: string;
  type: 'values.add';
}
/**
 * Put a claim to the vote; `supports` names utterances it comes from.
 */
export interface AddStatement {
  /**
   * @maxItems 20
   */
  supports?: string[];
  text: string;
  type: 'statement.add';
}
/**
 * One entry of the AI ledger: a call to a language model, whatever came of it.
 */
export interface AiCalled {
  call_id: string;
  first_seq: number;
  kind: 'ai.called';
  last_seq: number;
  latency_ms: number;
  model: string;
  outcome: 'ok' | 'repaired' | 'timeout' | 'invalid' | 'unavailable' | 'refused' | 'open_circuit';
  output: string | null;
  prompt: string;
  prompt_hash: string;
  purpose: string;
  tokens_in: number;
  tokens_out: number;
}
/**
 * Two cards that read alike and are not one yet; `mine`: one of them is the viewer's.
 */
export interface AlikeView {
  different: number;
  first_card: string;
  mine: boolean;
  my_answer: boolean | null;
  same: number;
  second_card: string;
}
/**
 * Facilitator: take a call for help.
 */
export interface AnswerHelp {
  type: 'help.answer';
}
/**
 * Say how a facilitator's card was, or decline / take up its invitation.
 */
export interface AnswerIntervention {
  answer: 'helpful' | 'not_helpful' | 'declined' | 'accepted';
  intervention_id: string;
  type: 'intervention.answer';
}
/**
 * Answer the opening or the closing poll.
 */
export interface AnswerPoll {
  answers: {
    [k: string]: number;
  };
  poll: 'opening' | 'closing';
  type: 'poll.answer';
}
/**
 * Answer the private question whether something was all right.
 */
export interface AnswerSafety {
  case_id: string;
  type: 'safety.answer';
  verdict: 'fine' | 'hide' | 'warn' | 'remove';
}
/**
 * Say whether two cards that read alike are one value.
 */
export interface AnswerSame {
  first_card: string;
  same: boolean;
  second_card: string;
  type: 'values.same';
}
/**
 * Compare two values in a context; changeable until the stage ends.
 */
export interface AnswerWiser {
  answer: -1 | 0 | 1;
  context: string;
  from_card: string;
  to_card: string;
  type: 'values.wiser';
}
/**
 * The precedents of a new case, nearest first; `none` where no judged case is near enough.
 */
export interface Answered {
  none: boolean;
  precedents: AnsweredPrecedent[];
}
/**
 * A judged case near the new one, the shared words that made it near, and its templates as in the public figures.
 */
export interface AnsweredPrecedent {
  case: string;
  similarity: number;
  templates: {
    [k: string]: unknown;
  }[];
  words: string[];
}
/**
 * One recording, released in `named` mode only; `offset_seconds` from the room's opening. A `picture` is WebM, else it is sound.
 */
export interface AudioFile {
  file: string;
  offset_seconds: number;
  participant_id: string;
  picture: boolean;
}
/**
 * A participant's ballot; a later one replaces it. Which field counts depends on the rule; all empty is a blank ballot.
 *
 * `ranking`: groups from best to worst; `approves`; `allocation`: credits by option.
 */
export interface BallotCast {
  allocation: {
    [k: string]: number;
  };
  approves: string[];
  kind: 'ballot.cast';
  participant_id: string;
  ranking: string[][];
  stage_id: string;
}
/**
 * A ballot stage began; `options` are what stands on its paper: ids of statements, or `option_id` of the design's options.
 */
export interface BallotOpened {
  kind: 'ballot.opened';
  options: string[];
  stage_id: string;
}
/**
 * The count, once the stage is over: `people` cast a ballot that says something.
 */
export interface BallotResultView {
  people: number;
  standings: StandingView[];
}
/**
 * One option's place in the result: `place` from 1, ties share a place; `score` as the rule has it.
 */
export interface StandingView {
  id: string;
  place: number;
  score: number;
  won: boolean;
}
/**
 * A ballot stage: the paper, the viewer's own ballot, how many of the members have voted, and afterwards the result.
 */
export interface BallotView {
  budget: number;
  cast: number;
  mine: ChoiceView | null;
  my_power: number;
  open: boolean;
  options: OptionView[];
  power_by: string | null;
  result: BallotResultView | null;
  rule: 'approval' | 'plurality' | 'irv' | 'schulze' | 'weighted' | 'quadratic';
  seats: number;
  stage_id: string;
  title: string;
}
/**
 * One's own ballot.
 */
export interface ChoiceView {
  allocation: {
    [k: string]: number;
  };
  approves: string[];
  ranking: string[][];
}
/**
 * One option on the paper.
 */
export interface OptionView {
  id: string;
  text: string;
}
/**
 * One piece of background material: `text` is shown as paragraphs, `url` as a link.
 */
export interface Briefing {
  text: string;
  title: string;
  url: string | null;
}
/**
 * The server ends this socket. Come back only for `stopping` (after a moment) and `moved` (at once).
 */
export interface Bye {
  reason: 'takeover' | 'elsewhere' | 'stopping' | 'moved' | 'removed' | 'revoked' | 'left' | 'slow';
  type: 'bye';
  url: string | null;
}
/**
 * Call a human facilitator.
 */
export interface CallHelp {
  type: 'help.call';
}
/**
 * The Schulze winner of `ranked` rankings; `first` and `last` put it there. `final`: it is the group's statement.
 */
export interface CandidateChosen {
  candidate_id: string;
  final: boolean;
  first: number;
  kind: 'group_statement.chosen';
  last: number;
  ranked: number;
  round: number;
  stage_id: string;
}
/**
 * What a member would change in the winner; an empty text: nothing.
 */
export interface CandidateCritiqued {
  critique_id: string;
  kind: 'group_statement.critiqued';
  participant_id: string;
  stage_id: string;
  text: string | null;
}
/**
 * One text that the group may choose; every sentence cites utterances, statements or critiques. `method`: who put it together.
 */
export interface CandidateProposed {
  call_id: string | null;
  candidate_id: string;
  kind: 'group_statement.proposed';
  method: 'model' | 'extraction' | 'kept';
  round: number;
  sentences: Sentence[] | null;
  stage_id: string;
}
/**
 * One sentence of a summary, or of a text that a group may stand behind, with what it cites: ids of what was said, voted on or written.
 */
export interface Sentence {
  critiques: string[];
  minority: boolean;
  stage_id: string | null;
  statements: string[];
  text: string;
  utterances: string[];
}
/**
 * One sentence and what it rests on; `flagged` where that was taken back since.
 */
export interface CandidateSentenceView {
  critiques: string[];
  flagged: boolean;
  statements: string[];
  text: string;
  utterances: string[];
}
/**
 * One text that may be chosen.
 */
export interface CandidateView {
  call_id: string | null;
  candidate_id: string;
  method: string;
  sentences: CandidateSentenceView[];
}
/**
 * A member's private ranking, best first; candidates left out come last.
 */
export interface CandidatesRanked {
  kind: 'group_statement.ranked';
  order: string[];
  participant_id: string;
  round: number;
  stage_id: string;
}
/**
 * A partial caption: `solid` is agreed, `tail` may still change. An `utterance.final` with this id replaces it.
 */
export interface Caption {
  participant_id: string;
  solid: string;
  started_at: number;
  tail: string;
  type: 'caption';
  utterance_id: string;
}
/**
 * A value that somebody lives by in a context; `participant_id` None for the organiser's. `call_id`: a model's draft that its author took up.
 */
export interface CardAdded {
  attends: string[] | null;
  call_id: string | null;
  card_id: string;
  context: string;
  kind: 'values.added';
  participant_id: string | null;
  story: string | null;
  title: string | null;
}
/**
 * A facilitator's card. `private` when only its addressees see it.
 */
export interface CardView {
  about: string | null;
  actions: string[];
  at: number;
  by: string;
  call_id: string | null;
  helpful: number;
  intervention_id: string;
  my_answer: string | null;
  not_helpful: number;
  numbers: {
    [k: string]: number;
  };
  private: boolean;
  rule: string;
  stage_id: string;
  text: string;
  to: string[];
  why: string;
}
/**
 * A card was taken back by its author, or hidden by a facilitator.
 */
export interface CardWithdrawn {
  by: 'author' | 'facilitator';
  card_id: string;
  kind: 'values.withdrawn';
}
/**
 * Two cards read alike (`similarity` 0–1): people are asked whether they are one. `second_card` is the later one.
 */
export interface CardsAlike {
  first_card: string;
  kind: 'values.alike';
  second_card: string;
  similarity: number;
}
/**
 * People confirmed that two cards are one value; the first stands for both.
 */
export interface CardsMerged {
  first_card: string;
  kind: 'values.merged';
  second_card: string;
}
/**
 * A participant's judgement of one response to one case; a later one replaces it.
 */
export interface CaseRated {
  case: string;
  kind: 'case.rated';
  participant_id: string;
  stage_id: string;
  template: string;
  value: 1 | 2 | 3 | 4 | 5;
}
/**
 * A case as its design has it.
 */
export interface CaseView {
  dimensions: {
    [k: string]: string;
  };
  id: string;
  text: string;
  varies: string;
}
/**
 * A stage of cases: `mine` are the viewer's ratings by case and template; `done`: members who have rated everything.
 */
export interface CasesView {
  cases: CaseView[];
  done: number;
  mine: {
    [k: string]: {
      [k: string]: number;
    };
  };
  open: boolean;
  stage_id: string;
  templates: TemplateView[];
  title: string;
}
/**
 * A response to judge.
 */
export interface TemplateView {
  id: string;
  text: string;
}
/**
 * Vote in a ballot stage; changeable until the stage ends.
 */
export interface CastBallot {
  allocation?: {
    [k: string]: number;
  };
  /**
   * @maxItems 20
   */
  approves?: string[];
  /**
   * @maxItems 20
   */
  ranking?: string[][];
  stage_id: string;
  type: 'ballot.cast';
}
/**
 * Agree (1), pass (0), disagree (-1); changeable until the stage closes.
 */
export interface CastVote {
  statement_id: string;
  type: 'statement.vote';
  value: -1 | 0 | 1;
}
/**
 * A written message to the room.
 */
export interface ChatPosted {
  kind: 'chat.posted';
  message_id: string;
  participant_id: string;
  text: string | null;
}
/**
 * The writer took a message back.
 */
export interface ChatStruck {
  kind: 'chat.struck';
  message_id: string;
  participant_id: string;
}
/**
 * A written message.
 */
export interface ChatView {
  at: number;
  hidden: boolean;
  message_id: string;
  participant_id: string;
  struck: boolean;
  text: string;
}
/**
 * The first message. `last_seq` is 0, or the last event this page has seen, to get what it missed.
 *
 * `client_id` names this page (kept in the tab); `takeover` lets it take the seat over from another page of the same person.
 * `room_id` is for facilitators: watch that room, or all rooms when absent.
 */
export interface Hello {
  client_id: string;
  last_seq?: number;
  protocol: number;
  room_id?: string | null;
  takeover?: boolean;
  token: string;
  type: 'hello';
}
/**
 * A command; answered by `ack` or `error` with the same `id`. Facilitators on the overview name the rooms.
 */
export interface Do {
  command:
    | RaiseHand
    | LowerHand
    | SpeakLanguage
    | EndTurn
    | Ready
    | MoreTime
    | AddStatement
    | WithdrawStatement
    | CastVote
    | CastBallot
    | AddCard
    | WithdrawCard
    | AnswerSame
    | AnswerWiser
    | TellValue
    | RateCase
    | RankCandidates
    | CritiqueCandidate
    | TakeStance
    | StrikeUtterance
    | CorrectUtterance
    | NameSpeaker
    | PostChat
    | StrikeChat
    | FileReport
    | CallHelp
    | AnswerIntervention
    | AnswerSafety
    | MarkSummary
    | AnswerPoll
    | WithdrawConsent
    | Leave
    | SendMessage
    | PauseFacilitation
    | ExtendStage
    | NextStage
    | RemoveMember
    | AnswerHelp
    | DecideSafety
    | Listen
    | CloseRoom;
  id: number;
  /**
   * @maxItems 500
   */
  room_ids?: string[];
  type: 'do';
}
/**
 * Ask to speak; `short` for a ten-second reply.
 */
export interface RaiseHand {
  short?: boolean;
  type: 'hand.raise';
}
/**
 * No longer ask to speak.
 */
export interface LowerHand {
  type: 'hand.lower';
}
/**
 * Say which language one speaks, so that it is written down right: a tag of BCP 47, "und" to have it detected, None as the design says.
 */
export interface SpeakLanguage {
  language: string | null;
  type: 'speech.language';
}
/**
 * Give the floor back.
 */
export interface EndTurn {
  type: 'turn.done';
}
/**
 * Vote to move on, or take that back.
 */
export interface Ready {
  ready?: boolean;
  type: 'stage.ready';
}
/**
 * Ask for more time in this stage.
 */
export interface MoreTime {
  type: 'stage.more_time';
}
/**
 * Take one's own statement back (a facilitator: hide any).
 */
export interface WithdrawStatement {
  statement_id: string;
  type: 'statement.withdraw';
}
/**
 * Take a card back (its author), or hide it (a facilitator).
 */
export interface WithdrawCard {
  card_id: string;
  type: 'values.withdraw';
}
/**
 * Tell the drafting assistant something; it asks on, or drafts a card.
 */
export interface TellValue {
  context: string;
  text: string;
  type: 'values.tell';
}
/**
 * Judge a response to a case; changeable until the stage ends.
 */
export interface RateCase {
  case: string;
  stage_id: string;
  template: string;
  type: 'case.rate';
  value: 1 | 2 | 3 | 4 | 5;
}
/**
 * Rank the candidates, best first; changeable until the ranking closes.
 */
export interface RankCandidates {
  /**
   * @minItems 1
   * @maxItems 8
   */
  order: string[];
  stage_id: string;
  type: 'group_statement.rank';
}
/**
 * Say what to change in the winner; an empty text says that it may stay as it is.
 */
export interface CritiqueCandidate {
  stage_id: string;
  text?: string;
  type: 'group_statement.critique';
}
/**
 * Stand behind the group's statement, or not; with words to be kept beside it.
 */
export interface TakeStance {
  stage_id: string;
  text?: string;
  type: 'group_statement.stand';
  value: -1 | 1;
}
/**
 * Take one's own words back: their text is erased.
 */
export interface StrikeUtterance {
  type: 'utterance.strike';
  utterance_id: string;
}
/**
 * Correct how one's own words were written down.
 */
export interface CorrectUtterance {
  text: string;
  type: 'utterance.correct';
  utterance_id: string;
}
/**
 * At a microphone of several: say by hand who of them said this; empty for unknown.
 */
export interface NameSpeaker {
  speaker?: string;
  type: 'utterance.name';
  utterance_id: string;
}
/**
 * Write to the room; what somebody writes who takes part in writing becomes an utterance of theirs.
 */
export interface PostChat {
  text: string;
  type: 'chat.post';
}
/**
 * Take one's own message back.
 */
export interface StrikeChat {
  message_id: string;
  type: 'chat.strike';
}
/**
 * Report a problem to the facilitators.
 */
export interface FileReport {
  about?: string;
  text: string;
  type: 'report.file';
}
/**
 * Mark one sentence of the summary right or wrong, or say what is missing (`sentence` None).
 */
export interface MarkSummary {
  sentence?: number | null;
  summary_id: string;
  text?: string | null;
  type: 'summary.mark';
  verdict: 'right' | 'wrong' | 'missing';
}
/**
 * Take back consent for recording or quoting (`taking part` is taken back by leaving with `room.leave`).
 */
export interface WithdrawConsent {
  /**
   * @minItems 1
   */
  items: ('record' | 'quote')[];
  type: 'consent.withdraw';
}
/**
 * Leave for good; with `erase`, withdraw what one said as the design provides.
 */
export interface Leave {
  erase?: boolean;
  type: 'room.leave';
}
/**
 * Facilitator: say something in writing to the room, or to some members.
 */
export interface SendMessage {
  text: string;
  to?: string[] | null;
  type: 'message.send';
}
/**
 * Facilitator: silence the AI, or let it speak again.
 */
export interface PauseFacilitation {
  paused: boolean;
  type: 'facilitation.pause';
}
/**
 * Facilitator: give the stage more time.
 */
export interface ExtendStage {
  seconds: number;
  type: 'stage.extend';
}
/**
 * Facilitator: end the current stage now.
 */
export interface NextStage {
  type: 'stage.next';
}
/**
 * Facilitator: take a member out of the room.
 */
export interface RemoveMember {
  participant_id: string;
  type: 'member.remove';
}
/**
 * Facilitator: overrule the group on a safety case.
 */
export interface DecideSafety {
  case_id: string;
  type: 'safety.decide';
  verdict: 'fine' | 'hide' | 'warn' | 'remove';
}
/**
 * Facilitator: listen in, speak, or leave; announced to the room.
 */
export interface Listen {
  state: 'listening' | 'speaking' | 'gone';
  type: 'listen';
}
/**
 * Facilitator: end the room now.
 */
export interface CloseRoom {
  type: 'room.close';
}
/**
 * A complete SDP offer: own audio and video first, then a pair of receiving lines per other seat. Answered by `media.answer`.
 */
export interface MediaOffer {
  id: number;
  sdp: string;
  type: 'media.offer';
}
/**
 * One more ICE candidate of the page.
 */
export interface MediaCandidate {
  candidate: string;
  mid: string;
  type: 'media.candidate';
}
/**
 * Whether microphone and camera are on; told to the others.
 */
export interface MediaState {
  camera: boolean;
  microphone: boolean;
  type: 'media.state';
}
/**
 * How much video this page wants.
 */
export interface MediaWant {
  type: 'media.want';
  video: 'all' | 'few' | 'none';
}
/**
 * Heartbeat, every ten seconds; `active` when the person has touched the page since the last one.
 */
export interface Ping {
  active?: boolean;
  sent_at: number;
  type: 'ping';
}
/**
 * Waiting alone: meet a simulated partner in a practice room.
 */
export interface PracticeRequest {
  type: 'practice';
}
/**
 * The running stage. `ready` and `more_time` name who asked; `needed` is how many must be ready.
 */
export interface ClockView {
  ends_at: number | null;
  index: number;
  may_extend: boolean;
  more_time: string[];
  needed: number;
  ready: string[];
  stage_id: string;
  started_at: number;
}
/**
 * One question to the viewer: whether `to_card` is wiser than `from_card` in this context.
 */
export interface ComparisonView {
  context: string;
  from_card: string;
  my_answer: number | null;
  to_card: string;
}
/**
 * What people agree to. `version` is stored with each consent; `contact` is whom they can write to.
 *
 * `licence` is what contributions are given under: what others may do with them.
 */
export interface Consent {
  contact: string;
  licence: string;
  organiser: string;
  purpose: string;
  version: string;
}
/**
 * What a participant agreed to, item by item, in which words (`version`) and language.
 */
export interface ConsentGiven {
  items: {
    [k: string]: boolean;
  };
  kind: 'consent.given';
  language: string;
  participant_id: string;
  version: string;
}
/**
 * A participant took consent back for these items.
 */
export interface ConsentWithdrawn {
  items: string[];
  kind: 'consent.withdrawn';
  participant_id: string;
}
/**
 * A participant's share (0..1) of a group's `summary`, or of what was `agreed`: in one room, or (`room` None) over all of them.
 */
export interface CreditShare {
  room: number | null;
  share: number;
  what: 'summary' | 'agreed';
}
/**
 * What rests on one thing that a participant said: statements put to the vote, sentences of a group's summary.
 */
export interface CreditUse {
  sentences: string[];
  statements: string[];
}
/**
 * One deliberation in the organiser's list (`GET /api/deliberations`); practice rooms and simulated partners do not count.
 */
export interface DeliberationInfo {
  created_at: number;
  id: string;
  links: DeliberationLinks;
  no_shows: number;
  open: boolean;
  opens_at: number | null;
  participants: number;
  question: string;
  rooms: number;
  rooms_open: number;
  rounds: number;
  title: string;
  waiting: number;
}
/**
 * The links of a deliberation, each with its signed token in the fragment (which browsers never send to a server).
 */
export interface DeliberationLinks {
  id: string;
  join_url: string;
  monitor_url: string;
  outcome_url: string;
  review_url: string;
  survey_url: string;
}
/**
 * A draft that only the viewer sees until they put it up.
 */
export interface DraftView {
  attends: string[];
  call_id: string | null;
  story: string;
  title: string;
}
/**
 * The body of every refused request, under `error`.
 */
export interface ErrorBody {
  code: string;
  hint: string;
  message: string;
}
/**
 * Command `id` (or the whole socket, when None) was refused; `code` is stable, `message` is for people.
 */
export interface ErrorMessage {
  code: string;
  hint: string;
  id: number | null;
  message: string;
  retryable: boolean;
  type: 'error';
}
/**
 * A group was formed. `design` is the whole design as it was then; `seed` decided the arm.
 */
export interface RoomOpened {
  arm: string;
  deliberation_id: string;
  design: {
    [k: string]: unknown;
  };
  kind: 'room.opened';
  number: number;
  practice: boolean;
  room_id: string;
  round: number;
  seed: number;
}
/**
 * The deliberation in this room is over.
 */
export interface RoomClosed {
  kind: 'room.closed';
  reason: 'finished' | 'abandoned' | 'stopped' | 'merged';
}
/**
 * A stage of the agenda began; `ends_at` is None for stages without a limit.
 */
export interface StageStarted {
  ends_at: number | null;
  index: number;
  kind: 'stage.started';
  stage_id: string;
}
/**
 * The current stage got more time; `pause`: what was lost while nobody was here, or the server was away.
 */
export interface StageExtended {
  ends_at: number;
  kind: 'stage.extended';
  seconds: number;
  stage_id: string;
  why: 'group' | 'facilitator' | 'pause';
}
/**
 * A participant is (or no longer is) ready to move on.
 */
export interface StageReady {
  kind: 'stage.ready';
  participant_id: string;
  ready: boolean;
}
/**
 * A participant asks for more time in this stage.
 */
export interface StageMoreTime {
  kind: 'stage.more_time';
  participant_id: string;
}
/**
 * A stage of the agenda ended.
 */
export interface StageEnded {
  kind: 'stage.ended';
  stage_id: string;
  why: 'ready' | 'time' | 'facilitator';
}
/**
 * A participant took a seat. `seat` counts from 1 and is never given to another.
 */
export interface MemberJoined {
  cohort: string;
  kind: 'member.joined';
  language: string;
  mode: 'online' | 'on-site' | 'survey' | 'chat';
  name: string | null;
  participant_id: string;
  seat: number;
  segments: {
    [k: string]: string;
  } | null;
  simulated: boolean;
}
/**
 * A member has been out of touch for too long; the seat is kept.
 */
export interface MemberAway {
  kind: 'member.away';
  participant_id: string;
}
/**
 * An away member is back.
 */
export interface MemberReturned {
  kind: 'member.returned';
  participant_id: string;
}
/**
 * A member left for good, was moved, or was removed by a facilitator.
 */
export interface MemberLeft {
  kind: 'member.left';
  participant_id: string;
  reason: 'left' | 'removed' | 'moved' | 'withdrew';
}
/**
 * A participant asks to speak; `short` asks for a short reply.
 */
export interface HandRaised {
  kind: 'hand.raised';
  participant_id: string;
  short: boolean;
}
/**
 * A participant no longer asks to speak.
 */
export interface HandLowered {
  kind: 'hand.lowered';
  participant_id: string;
}
/**
 * A member said which language they speak: a tag of BCP 47, "und" for whatever is heard, None for the deliberation's own.
 */
export interface SpeechLanguage {
  kind: 'speech.language';
  language: string | null;
  participant_id: string;
}
/**
 * A participant from the queue has the floor until `ends_at`.
 */
export interface TurnStarted {
  ends_at: number;
  kind: 'turn.started';
  participant_id: string;
  short: boolean;
}
/**
 * The turn is nearly (or, with `overtime`, already) over.
 */
export interface TurnWarned {
  kind: 'turn.warned';
  overtime: boolean;
  participant_id: string;
}
/**
 * The turn is over; with `muted` the design asks the page to mute the microphone.
 */
export interface TurnEnded {
  kind: 'turn.ended';
  muted: boolean;
  participant_id: string;
  why: 'done' | 'time' | 'left';
}
/**
 * The server's own voice activity heard a participant begin at `started_at`.
 */
export interface SpeechStarted {
  kind: 'speech.started';
  participant_id: string;
  started_at: number;
}
/**
 * One stretch of voice activity, in room time; overlaps count for everyone who speaks.
 */
export interface SpeechEnded {
  ended_at: number;
  kind: 'speech.ended';
  participant_id: string;
  started_at: number;
}
/**
 * What a participant said, as recognised, in room time; with `written`, what they contributed in writing.
 *
 * Written words end when they were sent and begin as much earlier as it takes to read them out.
 */
export interface UtteranceFinal {
  confidence: number;
  ended_at: number;
  kind: 'utterance.final';
  language: string;
  participant_id: string;
  started_at: number;
  text: string | null;
  utterance_id: string;
  words: Word[] | null;
  written: boolean;
}
/**
 * One recognised word; `start` and `end` in room time (Unix seconds), `probability` 0..1.
 */
export interface Word {
  end: number;
  probability: number;
  start: number;
  text: string;
}
/**
 * A better text for an utterance, by a second decoding (`refine`) or the speaker's own correction (`speaker`).
 */
export interface UtteranceRevised {
  by: 'refine' | 'speaker';
  confidence: number | null;
  kind: 'utterance.revised';
  participant_id: string;
  text: string | null;
  utterance_id: string;
  words: Word[] | null;
}
/**
 * Who of several at one microphone said this, as their seat names them by hand; empty: unknown.
 */
export interface UtteranceNamed {
  kind: 'utterance.named';
  participant_id: string;
  speaker: string | null;
  utterance_id: string;
}
/**
 * The speaker took an utterance back; its text is erased wherever it is kept.
 */
export interface UtteranceStruck {
  kind: 'utterance.struck';
  participant_id: string;
  utterance_id: string;
}
/**
 * One votable claim; written by a participant, or drafted by AI from the utterances it names.
 */
export interface StatementAdded {
  contests: string[];
  kind: 'statement.added';
  origin: 'participant' | 'ai' | 'seed' | 'carried';
  participant_id: string | null;
  source_room: string | null;
  source_statement: string | null;
  statement_id: string;
  supports: string[];
  text: string | null;
}
/**
 * A statement was taken back by its author, or here because its source was (its text is erased then); or a facilitator has hidden it.
 */
export interface StatementWithdrawn {
  by: 'author' | 'facilitator' | 'source';
  kind: 'statement.withdrawn';
  statement_id: string;
}
/**
 * A participant agrees (1), passes (0) or disagrees (-1); a later vote replaces an earlier one.
 */
export interface VoteCast {
  kind: 'vote.cast';
  participant_id: string;
  statement_id: string;
  value: -1 | 0 | 1;
}
/**
 * Somebody's answer to whether two cards are one value.
 */
export interface SameAnswered {
  first_card: string;
  kind: 'values.same';
  participant_id: string;
  same: boolean;
  second_card: string;
}
/**
 * Is `to_card` wiser than `from_card` in this context? 1 wiser, -1 not wiser, 0 unsure.
 */
export interface WiserAnswered {
  answer: -1 | 0 | 1;
  context: string;
  from_card: string;
  kind: 'values.wiser';
  participant_id: string;
  to_card: string;
}
/**
 * What somebody told the drafting assistant; nobody else ever sees it.
 */
export interface ValueTold {
  context: string;
  kind: 'values.told';
  participant_id: string;
  text: string | null;
}
/**
 * The assistant's question, or its draft of a card (`title` set), for one person only. `failed`: there was no answer, the form remains.
 */
export interface ValueReplied {
  attends: string[] | null;
  call_id: string | null;
  failed: boolean;
  kind: 'values.replied';
  participant_id: string;
  story: string | null;
  text: string | null;
  title: string | null;
}
/**
 * All candidates of a round are there; `dropped` texts or sentences held what nobody had said.
 */
export interface RankingOpened {
  dropped: number;
  kind: 'group_statement.opened';
  round: number;
  stage_id: string;
}
/**
 * The critiques are in; candidates that take them up are being written.
 */
export interface RevisionBegun {
  kind: 'group_statement.revising';
  stage_id: string;
}
/**
 * A member stands behind the group's statement (1) or does not (-1); `text` is what they want kept beside it.
 */
export interface StanceTaken {
  kind: 'group_statement.stood';
  participant_id: string;
  stage_id: string;
  text: string | null;
  value: -1 | 1;
}
/**
 * A summary whose every sentence cites; `dropped` counts sentences that the citation check rejected.
 */
export interface SummaryProposed {
  call_id: string | null;
  dropped: number;
  kind: 'summary.proposed';
  method: string;
  sentences: Sentence[] | null;
  summary_id: string;
}
/**
 * A participant's verdict on one sentence (`sentence` counts from 0), or on the whole (`missing`, with words).
 */
export interface SummaryMarked {
  kind: 'summary.marked';
  participant_id: string;
  sentence: number | null;
  summary_id: string;
  text: string | null;
  verdict: 'right' | 'wrong' | 'missing';
}
/**
 * Answers to the opening or the closing poll: question id → value on its scale.
 */
export interface PollAnswered {
  answers: {
    [k: string]: number;
  };
  kind: 'poll.answered';
  participant_id: string;
  poll: 'opening' | 'closing';
}
/**
 * A participant reports a problem, about somebody or something; seen by facilitators only.
 */
export interface ReportFiled {
  about: string;
  kind: 'report.filed';
  participant_id: string;
  report_id: string;
  text: string | null;
}
/**
 * A participant, or a rule, asks for a human facilitator.
 */
export interface HelpCalled {
  kind: 'help.called';
  participant_id: string | null;
  why: string;
}
/**
 * A human facilitator has taken the call.
 */
export interface HelpAnswered {
  by: string;
  kind: 'help.answered';
}
/**
 * The others are asked privately whether what somebody said was all right.
 */
export interface SafetyAsked {
  asked: string[];
  case_id: string;
  kind: 'safety.asked';
  participant_id: string;
  subject_id: string;
  why: string;
}
/**
 * One member's private answer.
 */
export interface SafetyAnswered {
  case_id: string;
  kind: 'safety.answered';
  participant_id: string;
  verdict: 'fine' | 'hide' | 'warn' | 'remove';
}
/**
 * The majority's decision, or a human facilitator's, which overrules.
 */
export interface SafetyDecided {
  by: 'group' | 'facilitator';
  case_id: string;
  kind: 'safety.decided';
  verdict: 'fine' | 'hide' | 'warn' | 'remove';
}
/**
 * Something the facilitator said, and why: the rule that fired and its numbers.
 *
 * `to` is None for the whole room, else the participants who see it. `by` is `ai`, or `facilitator` for a human's message.
 * `about` names the participant it concerns, if any.
 */
export interface InterventionMade {
  about: string | null;
  actions: ('speak' | 'decline' | 'move_on' | 'more_time' | 'here' | 'call_human')[];
  by: 'ai' | 'facilitator';
  call_id: string | null;
  intervention_id: string;
  kind: 'intervention.made';
  numbers: {
    [k: string]: number;
  };
  rule: string;
  solicited: boolean;
  text: string | null;
  to: string[] | null;
  why: string;
}
/**
 * How somebody took it: the two feedback buttons, or a declined invitation.
 */
export interface InterventionAnswered {
  answer: 'helpful' | 'not_helpful' | 'declined' | 'accepted';
  intervention_id: string;
  kind: 'intervention.answered';
  participant_id: string;
}
/**
 * A text of this room in another language, by a model; `participant_id` is whose words it is, if a member's.
 *
 * `subject_id` names an utterance, a message, a statement, a card, a candidate for the group's statement, a sentence of the summary, the question or a stage's prompt.
 */
export interface TextTranslated {
  call_id: string | null;
  kind: 'text.translated';
  language: string;
  participant_id: string | null;
  subject_id: string;
  text: string | null;
}
/**
 * A human facilitator silenced (or unsilenced) the AI.
 */
export interface FacilitationPaused {
  kind: 'facilitation.paused';
  paused: boolean;
}
/**
 * A human facilitator listens in, speaks, or left; announced to everyone.
 */
export interface ListenerChanged {
  kind: 'listener.changed';
  listener_id: string;
  name: string | null;
  state: 'listening' | 'speaking' | 'gone';
}
/**
 * Captions lag by this many seconds (0: caught up, -1: stopped).
 */
export interface TranscriptionBehind {
  kind: 'transcription.behind';
  seconds: number;
}
/**
 * Sound, or the `picture`, of a consenting participant is (no longer) recorded; `started_at` aligns the file with room time.
 */
export interface RecordingChanged {
  file: string | null;
  kind: 'recording.changed';
  participant_id: string;
  picture: boolean;
  recording: boolean;
  started_at: number | null;
}
/**
 * The search of one stage. `options` are there while they are ranked, `winner` from the first choice on.
 *
 * `answered` of the `asked` members have done the step that runs; `critiques` (by id, without their writers) are there once all are in;
 * `dissent` are the words of those who do not stand behind the result.
 */
export interface GroupStatementView {
  against: number;
  answered: number;
  asked: number;
  behind: number;
  closes_at: number | null;
  critiques: {
    [k: string]: string;
  };
  dissent: string[];
  dropped: number;
  first: number;
  my_critique: string | null;
  my_order: string[];
  my_stance: number | null;
  my_words: string;
  open: boolean;
  options: CandidateView[];
  ranked: number;
  round: number;
  stage_id: string;
  step: 'drafting' | 'ranking' | 'critique' | 'revising' | 'final' | 'empty';
  title: string;
  winner: CandidateView | null;
}
/**
 * Somebody in the queue, in speaking order.
 */
export interface HandView {
  participant_id: string;
  raised_at: number;
  short: boolean;
}
/**
 * An open call for a human.
 */
export interface HelpView {
  at: number;
  participant_id: string | null;
  why: string;
}
/**
 * One STUN or TURN server, as RTCPeerConnection takes it.
 */
export interface IceServer {
  credential: string | null;
  urls: string[];
  username: string | null;
}
/**
 * A link just issued: the only time its token is shown.
 */
export interface IssuedLink {
  link_id: string;
  url: string;
}
/**
 * What a page needs before anyone has joined (`GET /api/deliberations/{id}`).
 */
export interface JoinInfo {
  briefing: Briefing[];
  consent: Consent;
  facilitation: 'off' | 'rules' | 'model';
  id: string;
  language: string;
  max_size: number;
  min_size: number;
  model_outside: boolean;
  open: boolean;
  opens_at: number | null;
  poll: PollQuestion[];
  practice: boolean;
  preview: boolean;
  privacy: Privacy;
  question: string;
  segments: {
    [k: string]: string[];
  };
  stages: StageInfo[];
  survey: boolean;
  target_size: number;
  title: string;
}
/**
 * One question asked before and after, so that change of opinion is measured; answers are 1..scale.
 */
export interface PollQuestion {
  high: string;
  id: string;
  low: string;
  scale: number;
  text: string;
}
/**
 * How names are treated in every page and file, whether sound and picture are recorded, and for how long data is kept.
 */
export interface Privacy {
  mode: 'named' | 'pseudonym' | 'chatham-house';
  on_withdraw: 'erase' | 'pseudonymise';
  record_audio: boolean;
  record_video: boolean;
  retention_days: number;
}
/**
 * One stage, as the join page announces it.
 */
export interface StageInfo {
  minutes: number | null;
  title: string;
}
/**
 * Taking part (`POST /api/deliberations/{id}/participants`). `consent` maps take_part, record, quote to what was ticked.
 *
 * `mode`: online (one speaks), chat (one writes only), on-site (several at one microphone), survey (no room: the survey's page).
 */
export interface JoinRequest {
  answers?: {
    [k: string]: number;
  };
  consent: {
    [k: string]: boolean;
  };
  consent_version: string;
  language?: string;
  mode?: 'online' | 'on-site' | 'survey' | 'chat';
  name: string;
  segments?: {
    [k: string]: string;
  };
}
/**
 * The participant's own link: `token` opens their seat from now on.
 */
export interface JoinResponse {
  participant_id: string;
  token: string;
}
/**
 * One call to a model, as in the AI ledger.
 */
export interface LedgerView {
  at: number;
  call_id: string;
  first_seq: number;
  last_seq: number;
  latency_ms: number;
  model: string;
  outcome: string;
  output: string;
  prompt: string;
  prompt_hash: string;
  purpose: string;
  tokens_in: number;
  tokens_out: number;
}
/**
 * One line of the viewer's chat with the drafting assistant.
 */
export interface LineView {
  by: 'me' | 'ai';
  text: string;
}
/**
 * One issued link, for listing and revoking.
 */
export interface LinkInfo {
  cohort: string | null;
  deliberation_id: string | null;
  expires_at: number;
  issued_at: number;
  link_id: string;
  opened: number;
  participant_id: string | null;
  revoked: boolean;
  role: string;
  seats: number | null;
  used: number;
}
/**
 * One more link (`POST /api/deliberations/{id}/links`); `days` until it expires, the server's setting when absent.
 *
 * `participant` asks for an invitation, as `invitation` does; `preview` for a link to try the join page and the practice room.
 */
export interface LinkRequest {
  cohort?: string | null;
  days?: number | null;
  page?: 'join' | 'survey';
  role: 'participant' | 'invitation' | 'preview' | 'facilitator' | 'researcher';
  seats?: number | null;
}
/**
 * A human facilitator who is in the room.
 */
export interface ListenerView {
  listener_id: string;
  name: string;
  state: string;
}
/**
 * Ephemeral state of the members: microphone, camera, connection (`new`, `connected`, `disconnected`, `failed`).
 */
export interface Live {
  members: {
    [k: string]: LiveMember;
  };
  type: 'live';
}
/**
 * One member's devices and connection.
 */
export interface LiveMember {
  camera: boolean;
  connection: string;
  microphone: boolean;
}
/**
 * Waiting for a group. `starts_in` is seconds until a smaller group is formed, None while there are too few.
 */
export interface Lobby {
  max_size: number;
  min_size: number;
  opens_at: number | null;
  practice: boolean;
  starts_in: number | null;
  target_size: number;
  type: 'lobby';
  waiting: number;
}
/**
 * Who the viewer is here; `speaks` is the language they said they speak, if any.
 */
export interface MeView {
  consent: {
    [k: string]: boolean;
  };
  participant_id: string | null;
  polls: {
    [k: string]: {
      [k: string]: number;
    };
  };
  presence: string | null;
  role: 'participant' | 'facilitator' | 'researcher' | 'admin';
  seat: number | null;
  speaks: string | null;
}
/**
 * The SDP answer to offer `id`.
 */
export interface MediaAnswer {
  id: number;
  sdp: string;
  type: 'media.answer';
}
/**
 * What is being received at the moment, and why.
 */
export interface MediaQuality {
  level: string;
  type: 'media.quality';
  why: string;
}
/**
 * Which receiving line (by `mid`) carries whom now.
 */
export interface MediaSlots {
  slots: SlotView[];
  type: 'media.slots';
}
/**
 * One receiving line. `paused`: assigned, but not sent at the moment; the connection does not carry it, or the page does not want it.
 */
export interface SlotView {
  kind: 'audio' | 'video';
  mid: string;
  participant_id: string | null;
  paused: boolean;
}
/**
 * A seat. `share` is 0..1 of the talk so far; `mode` is how somebody takes part (`chat`: in writing only).
 */
export interface MemberView {
  language: string;
  mode: string;
  name: string;
  participant_id: string;
  presence: 'here' | 'away' | 'left';
  seat: number;
  share: number;
  simulated: boolean;
  spoken_seconds: number;
}
/**
 * A word in an utterance that may be somebody's name and was not masked: for a human to review.
 */
export interface NameFlag {
  utterance_id: string;
  word: string;
}
/**
 * A case in somebody's own words (`POST /api/deliberations/{id}/precedents`). It is answered and not kept.
 */
export interface NewCase {
  text: string;
}
/**
 * A statement that was put to the vote, in whichever rooms, or a poll's question (with its `scale` from 1 and the names of its ends).
 *
 * `origin`: participant, ai, seed, carried; empty for a question. `content_hash`: SHA-256 of the text.
 */
export interface OutcomeItem {
  content_hash: string;
  details: {
    [k: string]: string;
  };
  high: string;
  id: string;
  kind: 'statement' | 'question' | 'option' | 'value' | 'case' | 'template';
  low: string;
  origin: string;
  parent: string;
  quotes: OutcomeQuote[];
  rooms: number[];
  rounds: number[];
  scale: number | null;
  text: string;
}
/**
 * Words a statement rests on, of a speaker who agreed to be quoted; `speaker` None where the privacy mode names nobody.
 */
export interface OutcomeQuote {
  room: number;
  speaker: string | null;
  text: string;
  utterance: string;
}
/**
 * One method's result with what is needed to compute it again from the record.
 *
 * `figures` are the fields of the dataclass that the method returns (`deliberation/outcomes/<method>.py`). For the public, whatever covers
 * fewer than five people has `suppressed` set and no numbers, and nothing is per person (`rows`).
 */
export interface OutcomeResult {
  figures: {
    [k: string]: unknown;
  };
  input_hash: string;
  method: string;
  parameters: {
    [k: string]: unknown;
  };
  seed: number | null;
  title: string;
  version: string;
}
/**
 * What all rooms together found (`GET /api/deliberations/{id}/outcomes`). Only rooms that are over count.
 *
 * `full`: with rows and small groups, for a researcher's link; `minimum`: fewest people that a public figure covers; `refused`: methods
 * without a result, each with why; `drafting`: a model is writing texts that a later answer will hold.
 */
export interface Outcomes {
  drafting: boolean;
  full: boolean;
  id: string;
  items: OutcomeItem[];
  minimum: number;
  people: number;
  privacy: 'named' | 'pseudonym' | 'chatham-house';
  question: string;
  refused: {
    [k: string]: string;
  };
  results: OutcomeResult[];
  rooms: number;
  rooms_open: number;
  rounds: number;
  title: string;
}
/**
 * All rooms, once a second where something changed: a JSON merge patch on `{room_id: RoomCard}`; `waiting` people in the lobby.
 */
export interface Overview {
  patch: {
    [k: string]: unknown;
  };
  recognition: Recognition | null;
  type: 'overview';
  waiting: number;
}
/**
 * How speech recognition fares: the recognisers of all machines, and what the rooms of this node wait for.
 */
export interface Recognition {
  behind: number;
  on_disk: number;
  recognisers: number;
  running: string[];
  troubles: ('bus' | 'none' | 'ended' | 'disk' | 'behind' | 'lost')[];
  waiting: number;
}
/**
 * Where a participant's words went (`GET /api/participants/me/credit`). `uses` by utterance.
 */
export interface OwnCredit {
  licence: string;
  shares: CreditShare[];
  uses: {
    [k: string]: CreditUse;
  };
}
/**
 * Who a participant's link belongs to (`GET /api/participants/me`).
 */
export interface ParticipantInfo {
  consent: {
    [k: string]: boolean;
  };
  deliberation_id: string;
  name: string | null;
  participant_id: string;
  room_id: string | null;
  room_open: boolean;
}
/**
 * Answer to `ping`, so that a page can tell its clock's offset.
 */
export interface Pong {
  sent_at: number;
  server_time: number;
  type: 'pong';
}
/**
 * A report, for facilitators.
 */
export interface ReportView {
  about: string;
  at: number;
  participant_id: string;
  report_id: string;
  text: string;
}
/**
 * One room as researchers see it (`GET /api/rooms/{id}`), already in the design's privacy mode.
 */
export interface ReviewRoom {
  audio: AudioFile[];
  consent_quote: string[];
  flagged_names: NameFlag[];
  view: RoomView;
}
/**
 * Everything one viewer may see of one room. Maps are keyed by id, times are Unix seconds.
 */
export interface RoomView {
  agenda: StageView[];
  ballots: {
    [k: string]: BallotView;
  };
  briefing: Briefing[];
  cards: {
    [k: string]: CardView;
  };
  cases: {
    [k: string]: CasesView;
  };
  chat: {
    [k: string]: ChatView;
  };
  close_reason: string | null;
  closed_at: number | null;
  deliberation_id: string;
  facilitation: 'off' | 'rules' | 'model';
  facilitation_paused: boolean;
  filming: string[];
  gini: number;
  group_statements: {
    [k: string]: GroupStatementView;
  };
  help: HelpView | null;
  language: string;
  ledger: {
    [k: string]: LedgerView;
  };
  listeners: {
    [k: string]: ListenerView;
  };
  me: MeView;
  members: {
    [k: string]: MemberView;
  };
  number: number;
  opened_at: number;
  poll: PollQuestion[];
  practice: boolean;
  privacy_mode: string;
  question: string;
  queue: HandView[];
  recording: string[];
  records_audio: boolean;
  reports: ReportView[];
  room_id: string;
  round: number;
  safety: {
    [k: string]: SafetyView;
  };
  speaking: string[];
  stage: ClockView | null;
  statements: {
    [k: string]: StatementView;
  };
  summary: SummaryView | null;
  title: string;
  transcription_behind: number;
  translations: {
    [k: string]: string;
  };
  turn: TurnView | null;
  turn_seconds: number | null;
  utterances: {
    [k: string]: UtteranceView;
  };
  values: ValuesView | null;
}
/**
 * One stage of the agenda and where it stands.
 */
export interface StageView {
  id: string;
  kind: 'discussion' | 'statements' | 'ballot' | 'group-statement' | 'values' | 'wiser' | 'cases' | 'closing';
  minutes: number | null;
  progress: 'done' | 'now' | 'next';
  prompt: string;
  title: string;
}
/**
 * A private question to the viewer, or (for facilitators) any case.
 */
export interface SafetyView {
  about: string;
  answers: {
    [k: string]: number;
  };
  asked: number;
  at: number;
  case_id: string;
  my_answer: string | null;
  subject_id: string;
  text: string;
  verdict: string | null;
  why: string;
}
/**
 * A votable claim: tallies for everyone, and the viewer's own vote.
 */
export interface StatementView {
  agree: number;
  contests: string[];
  disagree: number;
  flagged: boolean;
  mine: boolean;
  my_vote: number | null;
  open: boolean;
  origin: string;
  passed: number;
  stage_id: string;
  statement_id: string;
  supports: string[];
  text: string;
}
/**
 * The group's summary.
 */
export interface SummaryView {
  at: number;
  dropped: number;
  method: string;
  missing: string[];
  sentences: SentenceView[];
  summary_id: string;
}
/**
 * A sentence of the summary, what it cites and how it was marked.
 */
export interface SentenceView {
  flagged: boolean;
  minority: boolean;
  my_mark: string | null;
  right: number;
  stage_id: string | null;
  statements: string[];
  text: string;
  utterances: string[];
  wrong: number;
}
/**
 * Who has the floor.
 */
export interface TurnView {
  ends_at: number;
  overtime: boolean;
  participant_id: string;
  short: boolean;
  started_at: number;
  warned: boolean;
}
/**
 * What was said; `text` is empty when struck or hidden.
 */
export interface UtteranceView {
  confidence: number;
  ended_at: number;
  hidden: boolean;
  language: string;
  participant_id: string;
  revised: string | null;
  speaker: string | null;
  stage_id: string;
  started_at: number;
  struck: boolean;
  text: string;
  utterance_id: string;
  written: boolean;
}
/**
 * Values in a room. `cards` are those that stand, each once, also where several were confirmed to be one.
 *
 * `writing` and `comparing` say what the stage is for now; `guided`: a drafting assistant may be asked; `compared`: members who have
 * answered every comparison.
 */
export interface ValuesView {
  alike: {
    [k: string]: AlikeView;
  };
  cards: {
    [k: string]: ValuesCardView;
  };
  cards_each: number;
  compared: number;
  comparing: boolean;
  comparisons: ComparisonView[];
  contexts: string[];
  guided: boolean;
  talk: TalkView | null;
  writing: boolean;
}
/**
 * One card. `stands_for`: the cards that were confirmed to say the same, itself left out.
 */
export interface ValuesCardView {
  attends: string[];
  card_id: string;
  context: string;
  drafted: boolean;
  mine: boolean;
  seed: boolean;
  stands_for: string[];
  story: string;
  title: string;
}
/**
 * The viewer's own chat with the drafting assistant; `over`: no more answers are taken.
 */
export interface TalkView {
  context: string;
  draft: DraftView | null;
  failed: boolean;
  lines: LineView[];
  over: boolean;
  waiting: boolean;
}
/**
 * One room on the monitor's overview. Times are Unix seconds.
 */
export interface RoomCard {
  arm: string;
  facilitation_paused: boolean;
  gini: number;
  help: string | null;
  last_ai_action: string;
  last_ai_at: number | null;
  listeners: number;
  members: {
    [k: string]: RoomCardMember;
  };
  number: number;
  open: boolean;
  reports: number;
  room_id: string;
  silence_seconds: number;
  speaking: string[];
  stage: string;
  stage_ends_at: number | null;
  title: string;
  transcription_behind: number;
}
/**
 * One member on the overview.
 */
export interface RoomCardMember {
  connection: string;
  name: string;
  presence: string;
  seat: number;
  share: number;
}
/**
 * One room in a list.
 */
export interface RoomInfo {
  arm: string;
  closed_at: number | null;
  members: number;
  number: number;
  opened_at: number;
  practice: boolean;
  room_id: string;
  round: number;
  statements: number;
  utterances: number;
}
/**
 * The link is accepted. `server_time` is Unix seconds; `slots` is how many others a page prepares to receive.
 */
export interface Welcome {
  heartbeat_seconds: number;
  ice_servers: IceServer[];
  participant_id: string | null;
  protocol: number;
  role: 'participant' | 'facilitator' | 'researcher' | 'admin';
  server_time: number;
  slots: number;
  type: 'welcome';
}
/**
 * The room as this viewer sees it, up to event `seq`.
 *
 * `patch` is a JSON merge patch (RFC 7396) on the RoomView that the page holds after `from_seq`; with `from_seq` 0 it is the whole view and
 * replaces what the page holds. `events` are the events that led here and that the viewer may see (after a resume: those missed since
 * `hello.last_seq`).
 */
export interface Update {
  events: {
    [k: string]: unknown;
  }[];
  from_seq: number;
  patch: {
    [k: string]: unknown;
  };
  room_id: string;
  seq: number;
  type: 'update';
}
/**
 * One thing that somebody wrote in a survey; `text` is empty once struck.
 */
export interface SurveyAnswer {
  language: string;
  struck: boolean;
  text: string;
  utterance_id: string;
}
/**
 * One person's part of a survey (`GET /api/survey`). `follow_up` is asked about a short answer, once; `followed`: it was answered.
 */
export interface SurveyPage {
  answers: SurveyAnswer[];
  consent: {
    [k: string]: boolean;
  };
  done: boolean;
  follow_up: string | null;
  follow_up_why: string;
  followed: boolean;
  open: boolean;
  participant_id: string;
  question: string;
  statements: SurveyStatement[];
  title: string;
}
/**
 * A statement to vote on: agree (1), pass (0), disagree (-1).
 */
export interface SurveyStatement {
  my_vote: number | null;
  statement_id: string;
  text: string;
}
