import { isLanguage, language, LANGUAGES, setLanguage, t } from '../i18n';
import { write } from '../net/tokens';

/** Chooses the interface's language, for this page and the next visits. */
export function LanguagePicker({ onChange }: { onChange?: (code: string) => void }) {
  return (
    <label class="language">
      <span class="visually-hidden">{t('language')}</span>
      <select
        value={language.value}
        data-testid="language"
        onChange={(event) => {
          const code = event.currentTarget.value;
          if (!isLanguage(code)) return;
          write(localStorage, 'parley.language', code);
          void setLanguage(code);
          onChange?.(code);
        }}
      >
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
