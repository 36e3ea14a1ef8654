/** Where one's own words went: what rests on them, with what share, and under which licence. Read anew when one's words change. */
import { useEffect, useState } from 'preact/hooks';
import { percent, t } from '../i18n';
import { getJson } from '../net/api';
import type { OwnCredit } from '../protocol/types';

/** `words`: one's own utterances by id, those that are struck empty. */
export function Credit({ token, words }: { token: string; words: Record<string, string> }) {
  const [credit, setCredit] = useState<OwnCredit | null>(null);
  const [failed, setFailed] = useState(false);
  const standing = Object.entries(words).filter(([, text]) => text !== '');
  useEffect(() => {
    getJson<OwnCredit>('/api/participants/me/credit', token)
      .then(setCredit)
      .catch(() => setFailed(true));
  }, [standing.length]);
  const used = standing.flatMap(([id, text]) => {
    const use = credit?.uses[id];
    return use && use.statements.length + use.sentences.length > 0 ? [{ id, text, use }] : [];
  });
  return (
    <section class="own-credit" data-testid="credit">
      <h2>{t('credit.title')}</h2>
      {credit && <p class="hint">{t('credit.hint', { licence: credit.licence })}</p>}
      {failed && <p class="muted">{t('credit.failed')}</p>}
      {!credit && !failed && <p class="muted">{t('loading')}</p>}
      {credit && used.length === 0 && <p class="muted">{t('credit.none')}</p>}
      {used.length > 0 && (
        <ul class="credit-list">
          {used.map(({ id, text, use }) => (
            <li key={id} data-testid="credit-use">
              <blockquote dir="auto">{text}</blockquote>
              <p class="note">{t('credit.rests')}</p>
              <ul>
                {use.statements.map((one) => (
                  <li key={one} dir="auto">
                    {t('credit.statement')} <q>{one}</q>
                  </li>
                ))}
                {use.sentences.map((one) => (
                  <li key={one} dir="auto">
                    {t('credit.sentence')} <i>{one}</i>
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      )}
      {credit && credit.shares.length > 0 && (
        <ul class="credit-shares">
          {credit.shares.map((one) => (
            <li key={`${one.what} ${one.room}`} data-testid="credit-share">
              <b class="figure">{percent(one.share)}</b> {one.room === null ? t('credit.all') : one.room === 0 ? t('credit.survey') : t(`credit.${one.what}`, { n: one.room })}
            </li>
          ))}
        </ul>
      )}
      {used.length > 0 && <p class="hint">{t('credit.takeBack')}</p>}
    </section>
  );
}
