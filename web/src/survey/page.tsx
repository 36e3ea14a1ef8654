/** A survey's page: consent, then the question in one's own words, then the groups' statements to vote on. Nobody is met. */
import { useEffect, useState } from 'preact/hooks';
import { isLanguage, language, setLanguage, t } from '../i18n';
import { Consent, type Consents } from '../lobby/consent';
import { Entrance } from '../lobby/entrance';
import '../lobby/lobby.css';
import { Devices } from '../media/devices';
import { Sound } from '../media/sound';
import { getJson, postJson, request } from '../net/api';
import { Refusal, sentence } from '../net/errors';
import { linkToken, read, seatToken } from '../net/tokens';
import type { JoinInfo, ParticipantCommand, SurveyPage, SurveyStatement } from '../protocol/types';
import { Credit } from '../room/credit';
import { useDraft, useScreen } from '../ui/controls';
import { toast } from '../ui/toast';
import { TopBar } from '../ui/topbar';
import './survey.css';

const devices = new Devices(); // never started: the entrance wants some
const sound = new Sound(devices.chosen.output);
const seatOf = (id: string) => `survey.${id}`;

export default function Survey({ id }: { id: string }) {
  const [invitation] = useState(() => linkToken(`join.${id}`));
  const [seat, setSeat] = useState(() => seatToken.get(seatOf(id)));
  const [info, setInfo] = useState<JoinInfo | null>(null);
  const [consents, setConsents] = useState<Consents | null>(null);
  const [declined, setDeclined] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    getJson<JoinInfo>(`/api/deliberations/${encodeURIComponent(id)}`, invitation ?? seat)
      .then(async (found) => {
        if (read(localStorage, 'parley.language') === null && isLanguage(found.language)) await setLanguage(found.language);
        setInfo(found);
      })
      .catch((error: unknown) => setProblem(error instanceof Refusal && error.status === 401 ? t('join.badLink') : sentence(error)));
  }, []);
  const leave = () => {
    seatToken.clear(seatOf(id));
    setSeat(null);
    setConsents(null);
  };
  return (
    <div class="page">
      <TopBar />
      {problem ? (
        <main class="notice" data-testid="survey-problem">
          <h1>{t('join.problem')}</h1>
          <p>{problem}</p>
        </main>
      ) : !info ? (
        <main class="notice" aria-busy="true">
          <p>{t('loading')}</p>
        </main>
      ) : seat ? (
        <Answers token={seat} info={info} onGone={leave} />
      ) : !info.survey ? (
        <main class="notice">
          <h1>{t('survey.none')}</h1>
        </main>
      ) : declined ? (
        <main class="notice">
          <h1>{t('declined.title')}</h1>
          <p>{t('declined.text')}</p>
          <button type="button" class="button" onClick={() => setDeclined(false)}>
            {t('declined.back')}
          </button>
        </main>
      ) : !consents ? (
        <Consent info={info} onAgree={setConsents} onDecline={() => setDeclined(true)} survey />
      ) : (
        <Entrance
          survey
          info={info}
          consents={consents}
          invitation={invitation}
          devices={devices}
          sound={sound}
          onJoined={(joined) => {
            seatToken.set(seatOf(id), joined.token);
            setSeat(joined.token);
          }}
        />
      )}
    </div>
  );
}

function Answers({ token, info, onGone }: { token: string; info: JoinInfo; onGone: () => void }) {
  const [page, setPage] = useState<SurveyPage | null>(null);
  const [withdrawn, setWithdrawn] = useState(false);
  const [busy, setBusy] = useState(false);
  const screen = useScreen(info.title);
  useEffect(() => {
    getJson<SurveyPage>('/api/survey', token)
      .then(setPage)
      .catch((error: unknown) => {
        if (error instanceof Refusal && (error.status === 404 || error.status === 401 || error.status === 403)) onGone();
        else toast(sentence(error), 'problem');
      });
  }, [token]);
  const act = async (command: ParticipantCommand): Promise<boolean> => {
    setBusy(true);
    try {
      setPage(await postJson<SurveyPage>('/api/survey', token, command));
      return true;
    } catch (error) {
      toast(sentence(error), 'problem');
      return false;
    } finally {
      setBusy(false);
    }
  };
  const withdraw = () =>
    void request('DELETE', `/api/participants/${encodeURIComponent(page?.participant_id ?? '')}`, token)
      .then(() => setWithdrawn(true))
      .catch((error: unknown) => toast(sentence(error), 'problem'));
  if (withdrawn) {
    return (
      <main class="notice" data-testid="survey-withdrawn">
        <h1>{t('withdraw.title')}</h1>
        <p>{t('withdraw.all.done')}</p>
      </main>
    );
  }
  if (!page) {
    return (
      <main class="notice" aria-busy="true">
        <p>{t('loading')}</p>
      </main>
    );
  }
  const asked = page.follow_up != null && !page.followed;
  return (
    <main class="column survey" data-testid="survey">
      <p class="eyebrow" dir="auto">{page.title}</p>
      <h1 {...screen} dir="auto">
        {page.question}
      </h1>
      <section>
        <h2>{t('survey.answer')}</h2>
        {page.answers.length > 0 && (
          <ol class="own-answers">
            {page.answers.map((answer) => (
              <li key={answer.utterance_id} data-testid="survey-said">
                {answer.struck ? (
                  <p class="muted">{t('words.struck')}</p>
                ) : (
                  <>
                    <p dir="auto" lang={answer.language}>
                      {answer.text}
                    </p>
                    <button type="button" class="link" data-testid="survey-strike" onClick={() => void act({ type: 'utterance.strike', utterance_id: answer.utterance_id })}>
                      {t('chat.strike')}
                    </button>
                  </>
                )}
              </li>
            ))}
          </ol>
        )}
        {asked && (
          <div class="aside-box" role="status" data-testid="follow-up">
            <p dir="auto">{page.follow_up}</p>
            <p class="hint" dir="auto">
              {page.follow_up_why}
            </p>
          </div>
        )}
        {page.open && !page.done && <Answer busy={busy} first={page.answers.length === 0} asked={asked} onSend={(text) => act({ type: 'chat.post', text })} />}
      </section>
      <section>
        <h2>{t('survey.statements')}</h2>
        {page.statements.length === 0 && <p class="muted">{t('survey.statements.none')}</p>}
        <ol class="survey-statements">
          {page.statements.map((one) => (
            <Vote key={one.statement_id} one={one} open={page.open} onVote={(value) => void act({ type: 'statement.vote', statement_id: one.statement_id, value })} />
          ))}
        </ol>
      </section>
      {page.open && !page.done && (
        <button type="button" class="button primary large" disabled={busy || page.answers.length === 0} data-testid="survey-done" onClick={() => void act({ type: 'stage.ready', ready: true })}>
          {t('survey.done')}
        </button>
      )}
      {(page.done || !page.open) && (
        <section class="aside-box" data-testid="survey-thanks">
          <h2>{t('thanks.title')}</h2>
          <p>{t('survey.thanks')}</p>
          {page.done && page.open && (
            <button type="button" class="button" onClick={() => void act({ type: 'stage.ready', ready: false })}>
              {t('survey.more')}
            </button>
          )}
        </section>
      )}
      {(page.done || !page.open) && <Credit token={token} words={Object.fromEntries(page.answers.map((answer) => [answer.utterance_id, answer.text]))} />}
      <section>
        <h2>{t('withdraw.title')}</h2>
        <p class="hint">{t('withdraw.text')}</p>
        <div class="actions">
          {page.consent['quote'] && (
            <button type="button" class="button" onClick={() => void act({ type: 'consent.withdraw', items: ['quote'] }).then((done) => done && toast(t('withdraw.done')))}>
              {t('withdraw.quote')}
            </button>
          )}
          <button type="button" class="button danger" data-testid="survey-withdraw" onClick={withdraw}>
            {t('withdraw.all')}
          </button>
        </div>
      </section>
    </main>
  );
}

function Answer({ busy, first, asked, onSend }: { busy: boolean; first: boolean; asked: boolean; onSend: (text: string) => Promise<boolean> }) {
  const [text, setText] = useDraft('survey');
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void onSend(text.trim()).then((sent) => sent && setText(''));
      }}
    >
      <label for="survey-text">{t(asked ? 'survey.why' : first ? 'survey.write' : 'survey.add')}</label>
      <textarea id="survey-text" rows={4} maxLength={1000} dir="auto" lang={language.value} value={text} data-testid="survey-text" onInput={(event) => setText(event.currentTarget.value)} />
      <div class="actions">
        <button type="submit" class="button primary" disabled={busy || text.trim() === ''} data-testid="survey-send">
          {t('chat.send')}
        </button>
      </div>
    </form>
  );
}

function Vote({ one, open, onVote }: { one: SurveyStatement; open: boolean; onVote: (value: -1 | 0 | 1) => void }) {
  // Shown at once; what the server says comes later, and counts.
  const [chosen, setChosen] = useState(one.my_vote);
  useEffect(() => setChosen(one.my_vote), [one.my_vote]);
  const choices = [
    [1, 'outcomes.agree'],
    [0, 'outcomes.pass'],
    [-1, 'outcomes.disagree'],
  ] as const;
  return (
    <li data-testid="survey-statement">
      <fieldset disabled={!open}>
        <legend dir="auto">{one.text}</legend>
        <div class="actions">
          {choices.map(([value, label]) => (
            <label key={value} class="choice">
              <input
                type="radio"
                name={one.statement_id}
                checked={chosen === value}
                data-testid={`survey-vote-${value}`}
                onChange={() => {
                  setChosen(value);
                  onVote(value);
                }}
              />
              <span>{t(label)}</span>
            </label>
          ))}
        </div>
      </fieldset>
    </li>
  );
}
