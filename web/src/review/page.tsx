/** The researchers' page: every room's transcript, audio, statements, summary and AI record, in the design's privacy mode, and the files. */
import { useEffect, useState } from 'preact/hooks';
import { dateTime, t } from '../i18n';
import { getJson } from '../net/api';
import { sentence } from '../net/errors';
import { linkToken } from '../net/tokens';
import { BallotResults } from '../room/ballot';
import { GroupStatements } from '../room/group-statement';
import { Record } from '../room/record';
import { Tally } from '../room/statements';
import { Summary } from '../room/summary';
import type { ReviewRoom, RoomInfo, RoomView } from '../protocol/types';
import { Balance } from '../ui/balance';
import { Citations } from '../ui/citations';
import { Tabs, useScreen } from '../ui/controls';
import { TopBar } from '../ui/topbar';
import { DownloadButton, Downloads } from './downloads';
import { Lanes } from './lanes';
import { Player } from './player';
import { Transcript } from './transcript';
import '../room/room.css';
import './review.css';

export default function ReviewPage({ id }: { id: string }) {
  const [token] = useState(() => linkToken(`review.${id}`));
  const [rooms, setRooms] = useState<RoomInfo[] | null>(null);
  const [problem, setProblem] = useState<string | null>(token ? null : t('link.missing'));
  const [room, setRoom] = useState<string | null>(new URLSearchParams(location.search).get('room'));
  const screen = useScreen(t('review.title'));

  useEffect(() => {
    if (!token) return;
    getJson<RoomInfo[]>(`/api/deliberations/${encodeURIComponent(id)}/rooms`, token)
      .then((found) => {
        const real = found.filter((one) => !one.practice).sort((a, b) => a.number - b.number);
        setRooms(real);
        setRoom((chosen) => chosen ?? real[0]?.room_id ?? null);
      })
      .catch((error: unknown) => setProblem(sentence(error)));
  }, []);

  return (
    <div class="review page">
      <TopBar />
      {problem ? (
        <main class="notice">
          <h1>{t('review.title')}</h1>
          <p>{problem}</p>
        </main>
      ) : (
        <div class="review-columns">
          <nav class="review-rooms" aria-label={t('review.rooms')}>
            <h1 {...screen}>{t('review.title')}</h1>
            {rooms?.length === 0 && <p class="muted">{t('review.none')}</p>}
            <ul>
              {rooms?.map((one) => (
                <li key={one.room_id}>
                  <button type="button" class="room-link" aria-current={one.room_id === room ? 'page' : undefined} data-testid="review-room" data-room={one.room_id} onClick={() => setRoom(one.room_id)}>
                    <strong>{t('monitor.room', { n: one.number })}</strong>
                    <span>{dateTime(one.opened_at)}</span>
                    <span>{t('review.facts', { members: t('review.members', { n: one.members }), utterances: t('review.remarks', { n: one.utterances }), statements: t('review.statements', { n: one.statements }) })}</span>
                    {one.closed_at == null && <span class="chip">{t('review.running')}</span>}
                  </button>
                </li>
              ))}
            </ul>
            <DownloadButton what="export" label={t('download.export')} path={`/api/deliberations/${encodeURIComponent(id)}/export`} name={`${id}.zip`} token={token} />
          </nav>
          {room && <Room key={room} room={room} token={token} />}
        </div>
      )}
    </div>
  );
}

function Room({ room, token }: { room: string; token: string | null }) {
  const [found, setFound] = useState<ReviewRoom | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [tab, setTab] = useState('transcript');
  const [focus, setFocus] = useState<string | null>(null);
  const [player] = useState(() => new Player());

  useEffect(() => {
    getJson<ReviewRoom>(`/api/rooms/${encodeURIComponent(room)}`, token)
      .then(async (one) => {
        setFound(one);
        await player.load(room, one.audio, token);
      })
      .catch((error: unknown) => setProblem(sentence(error)));
    return () => player.close();
  }, [room]);

  if (problem) return <p class="problem">{problem}</p>;
  if (!found) return <p class="muted">{t('loading')}</p>;
  const { view } = found;
  const jump = (utterance: string) => {
    setTab('transcript');
    setFocus(utterance);
  };
  return (
    <main class="review-room" data-testid="review">
      <header class="review-head">
        <div>
          <p class="eyebrow">{t(`privacy.${view.privacy_mode as 'named'}`)}</p>
          <h2>
            {view.title} · {t('monitor.room', { n: view.number })}
          </h2>
        </div>
        <Balance view={view} />
      </header>
      <Lanes player={player} view={view} />
      <Tabs
        label={t('review.title')}
        value={tab}
        onChange={setTab}
        tabs={[
          { id: 'transcript', label: t('review.transcript'), content: () => <Transcript found={found} player={player} focus={focus} /> },
          { id: 'statements', label: t('tab.statements'), content: () => <Statements view={view} onJump={jump} /> },
          ...(Object.keys(view.ballots).length > 0 ? [{ id: 'ballot', label: t('tab.ballot'), content: () => <BallotResults view={view} /> }] : []),
          ...(Object.keys(view.group_statements).length > 0 ? [{ id: 'group', label: t('tab.group'), content: () => <GroupStatements view={view} session={null} onJump={jump} /> }] : []),
          { id: 'summary', label: t('tab.closing'), content: () => (view.summary ? <Summary view={view} session={null} onJump={jump} /> : <p class="muted">{t('review.noSummary')}</p>) },
          { id: 'record', label: t('tab.record'), content: () => <Record view={view} /> },
          { id: 'downloads', label: t('review.downloads'), content: () => <Downloads room={room} found={found} token={token} /> },
        ]}
      />
    </main>
  );
}

function Statements({ view, onJump }: { view: RoomView; onJump: (utterance: string) => void }) {
  const statements = Object.values(view.statements);
  if (statements.length === 0) return <p class="muted">{t('statements.none')}</p>;
  return (
    <ol class="statement-list">
      {statements.map((s) => (
        <li key={s.statement_id} class="statement" data-testid="statement" data-statement={s.statement_id}>
          <p class="statement-text" dir="auto">
            {s.text}
          </p>
          <p class="statement-origin">{t(`origin.${s.origin as 'participant'}`)}</p>
          {s.flagged && <p class="flagged">{t('flagged')}</p>}
          <Tally s={s} />
          <Citations view={view} utterances={s.supports} label={t('cites.supports', { n: s.supports.length })} onJump={onJump} />
          <Citations view={view} utterances={s.contests} label={t('cites.contests', { n: s.contests.length })} onJump={onJump} />
        </li>
      ))}
    </ol>
  );
}
