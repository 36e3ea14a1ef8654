/** One room, opened: its people and words, and what a facilitator can do in it. Listening and speaking are announced to the room. */
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { postJson } from '../net/api';
import { sentence } from '../net/errors';
import { sorted, useEnd, Words } from '../room/captions';
import { BallotResults } from '../room/ballot';
import { Record } from '../room/record';
import { Tally } from '../room/statements';
import { Summary } from '../room/summary';
import { Tiles } from '../room/tiles';
import type { FacilitatorCommand, RoomView } from '../protocol/types';
import { Balance } from '../ui/balance';
import { clock, now, Select, Tabs, useDraft, useScreen } from '../ui/controls';
import { Icon } from '../ui/icons';
import { Reconnecting } from '../ui/reconnecting';
import { toast } from '../ui/toast';
import type { Monitor } from './page';
import type { Presence, Watch } from './watch';

const VERDICTS = ['fine', 'warn', 'hide', 'remove'] as const;

interface Props {
  monitor: Monitor;
  watch: Watch;
}

export function OpenRoom({ monitor, watch }: Props) {
  const view = watch.feed.view.value;
  const [tab, setTab] = useState('words');
  const screen = useScreen(t('monitor.title'));
  useEffect(() => () => watch.close(), [watch]);
  const act = async (command: FacilitatorCommand, done?: string) => {
    try {
      await watch.socket.do(command);
      if (done) toast(done);
      return true;
    } catch (error) {
      toast(sentence(error), 'problem');
      return false;
    }
  };
  const stage = view?.agenda[view.stage?.index ?? -1];
  const cases = Object.values(view?.safety ?? {}).filter((one) => one.verdict == null);
  const concerns = cases.length + (view?.reports.length ?? 0) + (view?.help ? 1 : 0);
  return (
    <aside class="open-room" data-testid="open-room" data-room={watch.roomId} aria-label={view ? t('monitor.room', { n: view.number }) : t('loading')}>
      <header class="open-head">
        <h2 {...screen}>{view ? t('monitor.room', { n: view.number }) : t('loading')}</h2>
        <p>
          {stage?.title}
          {view?.stage?.ends_at != null && view.closed_at == null && <strong class="time-small">{clock(view.stage.ends_at - now.value)}</strong>}
        </p>
        {view && <Balance view={view} />}
        <button type="button" class="icon-button" aria-label={t('close')} data-testid="monitor-close" onClick={() => monitor.watch(null)}>
          <Icon name="close" />
        </button>
      </header>
      <Reconnecting socket={watch.socket} />
      {view && (
        <>
          {view.closed_at == null && <Actions watch={watch} view={view} act={act} />}
          {watch.sound.blocked.value && (
            <p class="banner warning">
              <span>{t('sound.blocked')}</span>
              <button type="button" class="button small" onClick={() => watch.sound.unblock()}>
                {t('sound.unblock')}
              </button>
            </p>
          )}
          {watch.presence.value !== 'gone' && (
            <div class="open-tiles">
              <Tiles session={watch} view={view} />
            </div>
          )}
          <div class="open-tabs">
            <Tabs
              label={t('monitor.room', { n: view.number })}
              value={tab}
              onChange={setTab}
              tabs={[
                { id: 'words', label: t('tab.talk'), content: () => <Talk watch={watch} view={view} /> },
                { id: 'concerns', label: t('monitor.concerns'), badge: concerns || null, content: () => <Concerns view={view} act={act} /> },
                { id: 'people', label: t('monitor.people'), content: () => <People monitor={monitor} view={view} act={act} /> },
                {
                  id: 'statements',
                  label: t('tab.statements'),
                  content: () => (
                    <ol class="statement-list">
                      {Object.values(view.statements).map((s) => (
                        <li key={s.statement_id} class="statement">
                          <p class="statement-text" dir="auto">
                            {s.text}
                          </p>
                          <Tally s={s} />
                          {s.open && (
                            <button type="button" class="link" onClick={() => void act({ type: 'statement.withdraw', statement_id: s.statement_id })}>
                              {t('monitor.hideStatement')}
                            </button>
                          )}
                        </li>
                      ))}
                      {Object.keys(view.statements).length === 0 && <p class="muted">{t('statements.none')}</p>}
                    </ol>
                  ),
                },
                ...(Object.keys(view.ballots).length > 0 ? [{ id: 'ballot', label: t('tab.ballot'), content: () => <BallotResults view={view} /> }] : []),
                ...(view.summary ? [{ id: 'summary', label: t('tab.closing'), content: () => <Summary view={view} session={null} /> }] : []),
                { id: 'record', label: t('tab.record'), content: () => <Record view={view} /> },
              ]}
            />
          </div>
        </>
      )}
    </aside>
  );
}

type Act = (command: FacilitatorCommand, done?: string) => Promise<boolean>;

function Actions({ watch, view, act }: { watch: Watch; view: RoomView; act: Act }) {
  const presence = watch.presence.value;
  const be = (next: Presence) => void watch.be(presence === next ? 'gone' : next).catch((error: unknown) => toast(sentence(error), 'problem'));
  return (
    <div class="open-actions" role="group" aria-label={t('monitor.actions')}>
      <button type="button" class="button small" aria-pressed={presence === 'listening'} data-testid="listen" onClick={() => be('listening')}>
        <Icon name="ear" />
        {t(presence === 'listening' ? 'monitor.listen.stop' : 'monitor.listen')}
      </button>
      <button type="button" class="button small" aria-pressed={presence === 'speaking'} data-testid="speak" onClick={() => be('speaking')}>
        <Icon name="mic" />
        {t(presence === 'speaking' ? 'monitor.speak.stop' : 'monitor.speak')}
      </button>
      <button type="button" class="button small" aria-pressed={view.facilitation_paused} data-testid="pause-ai" onClick={() => void act({ type: 'facilitation.pause', paused: !view.facilitation_paused })}>
        <Icon name={view.facilitation_paused ? 'play' : 'pause'} />
        {t(view.facilitation_paused ? 'monitor.resume' : 'monitor.pause')}
      </button>
      <button type="button" class="button small" disabled={view.stage?.ends_at == null} data-testid="extend" onClick={() => void act({ type: 'stage.extend', seconds: 120 }, t('monitor.extended'))}>
        <Icon name="plus" />
        {t('monitor.extend', { n: 2 })}
      </button>
      <Sure testid="next-stage" label={t('monitor.next')} onSure={() => void act({ type: 'stage.next' })} disabled={view.stage == null} />
      <Sure testid="close-room" label={t('monitor.end')} onSure={() => void act({ type: 'room.close' })} danger />
    </div>
  );
}

/** A button that asks once more before it acts. */
function Sure({ label, onSure, danger, disabled, testid }: { label: string; onSure: () => void; danger?: boolean; disabled?: boolean; testid?: string }) {
  const [asked, setAsked] = useState(false);
  return (
    <button
      type="button"
      class={danger || asked ? 'button small danger' : 'button small'}
      disabled={disabled}
      data-testid={testid}
      onBlur={() => setAsked(false)}
      onClick={() => {
        if (asked) onSure();
        setAsked(!asked);
      }}
    >
      {asked ? t('sure', { what: label }) : label}
    </button>
  );
}

function Talk({ watch, view }: { watch: Watch; view: RoomView }) {
  const utterances = sorted(view);
  const partials = Object.values(watch.feed.partials.value);
  const scroll = useEnd(`${utterances.length} ${partials.map((p) => p.solid.length + p.tail.length).join()}`);
  return (
    <div class="open-talk">
      <div class="captions-scroll" {...scroll} tabIndex={0} role="group" aria-label={t('captions')}>
        {utterances.map((u) => (
          <div key={u.utterance_id} class={`caption seat-${(((view.members[u.participant_id]?.seat ?? 1) - 1) % 8) + 1}`} data-testid="caption" data-participant={u.participant_id} data-utterance={u.utterance_id}>
            <span class="speaker">{view.members[u.participant_id]?.name}</span>
            <Words u={u} />
          </div>
        ))}
        {partials.map((p) => (
          <div key={p.participant_id} class={`caption partial seat-${(((view.members[p.participant_id]?.seat ?? 1) - 1) % 8) + 1}`} data-testid="caption" data-participant={p.participant_id} data-utterance={p.utterance_id}>
            <span class="speaker">{view.members[p.participant_id]?.name}</span>
            <p class="words" dir="auto">
              {p.solid} <span class="tail">{p.tail}</span>
            </p>
          </div>
        ))}
      </div>
      <Message watch={watch} view={view} />
    </div>
  );
}

/** A written message to this room, or to one person in it. */
function Message({ watch, view }: { watch: Watch; view: RoomView }) {
  const [text, setText] = useDraft(`message.${watch.roomId}`);
  const [to, setTo] = useState('');
  const here = Object.values(view.members).filter((m) => m.presence !== 'left');
  return (
    <form
      class="open-message"
      onSubmit={(event) => {
        event.preventDefault();
        watch.socket
          .do({ type: 'message.send', text: text.trim(), to: to ? [to] : null })
          .then(() => {
            setText('');
            toast(t('monitor.sent', { n: 1 }));
          })
          .catch((error: unknown) => toast(sentence(error), 'problem'));
      }}
    >
      <Select label={t('monitor.to')} value={to} options={[{ value: '', label: t('monitor.everyone') }, ...here.map((m) => ({ value: m.participant_id, label: m.name }))]} onChange={setTo} />
      <label for="room-message" class="visually-hidden">
        {t('monitor.message')}
      </label>
      <input id="room-message" type="text" maxLength={1000} dir="auto" placeholder={t('monitor.message')} value={text} data-testid="message-text" onInput={(event) => setText(event.currentTarget.value)} />
      <button type="submit" class="button primary" disabled={text.trim() === ''} data-testid="message-send">
        {t('monitor.send')}
      </button>
    </form>
  );
}

function Concerns({ view, act }: { view: RoomView; act: Act }) {
  const cases = Object.values(view.safety).sort((a, b) => b.at - a.at);
  const name = (id: string) => view.members[id]?.name ?? t('someone');
  return (
    <div class="concerns">
      {view.help && (
        <section class="concern calling">
          <h3>{t('monitor.help')}</h3>
          <p>{view.help.why}</p>
          <button type="button" class="button small primary" onClick={() => void act({ type: 'help.answer' })}>
            {t('monitor.take')}
          </button>
        </section>
      )}
      {cases.map((one) => (
        <section key={one.case_id} class="concern" data-testid="safety-case">
          <h3>{t('monitor.case', { name: name(one.about) })}</h3>
          <blockquote class="citation">
            <p dir="auto">{one.text || t('words.struck')}</p>
          </blockquote>
          <p class="muted">
            {one.why} · {t('monitor.answers', { n: Object.values(one.answers).reduce((sum, count) => sum + count, 0), asked: one.asked })}
          </p>
          <div class="votes" role="group" aria-label={t('monitor.decide')}>
            {VERDICTS.map((verdict) => (
              <button key={verdict} type="button" class="vote" aria-pressed={one.verdict === verdict} onClick={() => void act({ type: 'safety.decide', case_id: one.case_id, verdict })}>
                {t(`safety.${verdict}`)} {one.answers[verdict] ? `(${one.answers[verdict]})` : ''}
              </button>
            ))}
          </div>
        </section>
      ))}
      {view.reports.map((report) => (
        <section key={report.report_id} class="concern" data-testid="report-entry">
          <h3>{t('monitor.report', { name: name(report.participant_id) })}</h3>
          {report.about && <p class="muted">{t('monitor.report.about', { name: name(report.about) })}</p>}
          <p dir="auto">{report.text}</p>
        </section>
      ))}
      {cases.length === 0 && view.reports.length === 0 && !view.help && <p class="muted">{t('monitor.noConcerns')}</p>}
    </div>
  );
}

function People({ monitor, view, act }: { monitor: Monitor; view: RoomView; act: Act }) {
  const others = Object.values(monitor.rooms.value).filter((room) => room.open && room.room_id !== view.room_id);
  const [target, setTarget] = useState<Record<string, string>>({});
  const move = async (participant: string) => {
    try {
      await postJson(`/api/participants/${encodeURIComponent(participant)}/move`, monitor.token, { room_id: target[participant] });
      toast(t('monitor.moved'));
    } catch (error) {
      toast(sentence(error), 'problem');
    }
  };
  return (
    <ul class="people">
      {Object.values(view.members)
        .sort((a, b) => a.seat - b.seat)
        .map((m) => (
          <li key={m.participant_id} class={`seat-${((m.seat - 1) % 8) + 1}`}>
            <p>
              <span class="speaker">{m.name}</span> <span class="muted">{t(`presence.${m.presence}`)}</span>
            </p>
            {m.presence !== 'left' && (
              <div class="people-actions">
                {others.length > 0 && (
                  <>
                    <Select
                      label={t('monitor.moveTo')}
                      value={target[m.participant_id] ?? ''}
                      options={[{ value: '', label: '–' }, ...others.map((room) => ({ value: room.room_id, label: t('monitor.room', { n: room.number }) }))]}
                      onChange={(room) => setTarget({ ...target, [m.participant_id]: room })}
                    />
                    <button type="button" class="button small" disabled={!target[m.participant_id]} data-testid="move" onClick={() => void move(m.participant_id)}>
                      {t('monitor.move')}
                    </button>
                  </>
                )}
                <Sure label={t('monitor.remove')} danger onSure={() => void act({ type: 'member.remove', participant_id: m.participant_id })} />
              </div>
            )}
          </li>
        ))}
    </ul>
  );
}
