/** The room while it runs: who is here, what is said, what the group works on, and the controls. */
import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { narrow, Tabs, useScreen, type Tab } from '../ui/controls';
import { Reconnecting } from '../ui/reconnecting';
import { Ballots } from './ballot';
import { Captions } from './captions';
import { Cards } from './cards';
import { Cases, casesWaiting } from './cases';
import { Chat } from './chat';
import { Closing } from './closing';
import { WRITE_ID } from './composer';
import { ControlBar } from './bar';
import { type DialogName, RoomDialogs } from './dialogs';
import { RoomHeader } from './header';
import { GroupStatements, waitsForMe } from './group-statement';
import { useKeys } from './keys';
import { Record } from './record';
import { Question } from './question';
import { SafetyQuestions } from './safety';
import type { Session } from './session';
import { Statements } from './statements';
import { Tiles } from './tiles';
import { Values, valuesWaiting } from './values';
import { Writing } from './writing';
import './room.css';

const tab = signal('question');

export function Room({ session }: { session: Session }) {
  const view = session.view.value;
  const [dialog, setDialog] = useState<DialogName | null>(null);
  const kind = view?.agenda[view.stage?.index ?? -1]?.kind ?? 'discussion';
  const screen = useScreen(view?.title ?? '');
  useKeys(session, setDialog);

  useEffect(() => {
    if (kind === 'statements' || kind === 'ballot' || kind === 'values' || kind === 'cases') tab.value = kind;
    else if (kind === 'wiser') tab.value = 'values';
    else if (kind === 'group-statement') tab.value = 'group';
    else if (kind === 'closing') tab.value = 'closing';
    else if (narrow.value) tab.value = 'talk';
    else tab.value = 'question';
  }, [kind, view?.room_id]);

  if (!view) return null;
  const write = () => {
    if (narrow.value) tab.value = 'talk';
    setTimeout(() => document.getElementById(WRITE_ID)?.focus(), 0);
  };
  const statements = Object.values(view.statements);
  const toVote = statements.filter((s) => s.open && s.my_vote == null).length;
  const toCast = Object.values(view.ballots).filter((ballot) => ballot.open && !ballot.mine && ballot.options.length > 0).length;
  const tabs: Tab[] = [
    ...(narrow.value ? [{ id: 'talk', label: t('tab.talk'), icon: 'captions' as const, content: () => <Talk session={session} /> }] : []),
    { id: 'question', label: t('tab.question'), icon: 'book', content: () => <Question view={view} /> },
    ...(kind === 'closing' || view.summary ? [{ id: 'closing', label: t('tab.closing'), icon: 'check' as const, content: () => <Closing session={session} /> }] : []),
    ...(statements.length > 0 || kind === 'statements'
      ? [{ id: 'statements', label: t('tab.statements'), icon: 'quote' as const, badge: toVote || null, content: () => <Statements session={session} /> }]
      : []),
    ...(Object.keys(view.ballots).length > 0
      ? [{ id: 'ballot', label: t('tab.ballot'), icon: 'check' as const, badge: toCast || null, content: () => <Ballots session={session} view={view} /> }]
      : []),
    ...(view.values
      ? [{ id: 'values', label: t('tab.values'), icon: 'quote' as const, badge: valuesWaiting(view.values) || null, content: () => view.values && <Values session={session} view={view} values={view.values} /> }]
      : []),
    ...(Object.keys(view.cases).length > 0
      ? [{ id: 'cases', label: t('tab.cases'), icon: 'check' as const, badge: Object.values(view.cases).reduce((sum, stage) => sum + casesWaiting(stage), 0) || null, content: () => <Cases session={session} view={view} /> }]
      : []),
    ...(Object.keys(view.group_statements).length > 0
      ? [{ id: 'group', label: t('tab.group'), icon: 'check' as const, badge: Object.values(view.group_statements).filter(waitsForMe).length || null, content: () => <GroupStatements session={session} view={view} /> }]
      : []),
    { id: 'chat', label: t('tab.chat'), icon: 'send', content: () => <Chat session={session} /> },
    { id: 'record', label: t('tab.record'), icon: 'spark', content: () => <Record view={view} /> },
  ];
  const current = tabs.some((one) => one.id === tab.value) ? tab.value : (tabs[0]?.id ?? 'question');
  return (
    <div class={`room stage-${kind}`} data-testid="room" data-room={view.room_id} data-stage={view.stage?.stage_id ?? ''}>
      <RoomHeader session={session} view={view} onDialog={setDialog} />
      <section class="banners" aria-label={t('notices')}>
        <Reconnecting socket={session.socket} />
        {view.practice && (
          <p class="banner">
            {t('practice.banner')} {session.lobby.value && t('practice.waiting', { n: Math.max(0, session.lobby.value.waiting - 1) })}
          </p>
        )}
        {view.recording.length > 0 && (
          <p class="banner recording">
            <span class="record-dot" aria-hidden="true" />
            {t('recording.banner', { n: view.recording.length })}
          </p>
        )}
        {view.filming.length > 0 && (
          <p class="banner recording">
            <span class="record-dot" aria-hidden="true" />
            {t('filming.banner', { n: view.filming.length })}
          </p>
        )}
        {Object.values(view.listeners).map((one) => (
          <p key={one.listener_id} class="banner">
            {t(one.state === 'speaking' ? 'listener.speaking' : 'listener.listening', { name: one.name || t('role.facilitator') })}
          </p>
        ))}
        {view.transcription_behind !== 0 && (
          <p class="banner warning">{view.transcription_behind < 0 ? t('captions.stopped') : view.transcription_behind > 4 ? t('captions.behind', { n: Math.round(view.transcription_behind) }) : ''}</p>
        )}
        {session.readAloud.reading.value !== null && (
          <p class="banner" data-testid="reading-aloud">
            <span>{t('readAloud.now', { name: session.readAloud.reading.value })}</span>
            <button type="button" class="button small" data-testid="reading-stop" onClick={() => session.readAloud.stop()}>
              {t('readAloud.stop')}
            </button>
          </p>
        )}
        {session.sound.blocked.value && (
          <p class="banner warning">
            <span>{t('sound.blocked')}</span>
            <button type="button" class="button small" data-testid="unblock-sound" onClick={() => session.sound.unblock()}>
              {t('sound.unblock')}
            </button>
          </p>
        )}
      </section>
      <main class="stage">
        <h1 class="visually-hidden" {...screen}>
          {view.title}
        </h1>
        <Tiles session={session} view={view} />
        <SafetyQuestions session={session} view={view} />
        <Cards session={session} view={view} />
        {!narrow.value && <Talk session={session} />}
      </main>
      <aside class="side" aria-label={t('side')}>
        <Tabs tabs={tabs} value={current} onChange={(id) => (tab.value = id)} label={t('side')} />
      </aside>
      <ControlBar session={session} view={view} onDialog={setDialog} onWrite={write} />
      <RoomDialogs session={session} view={view} open={dialog} onOpen={setDialog} />
    </div>
  );
}

/** What is said, and for who takes part in writing, where they write. */
function Talk({ session }: { session: Session }) {
  const view = session.view.value;
  return (
    <div class="talk">
      <Captions session={session} />
      {view && session.writes.value && <Writing session={session} view={view} />}
    </div>
  );
}
