import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTandem, type Tandem } from '../support/tandem.ts';

const chromium = process.env['TANDEM_CHROMIUM'];
let tandem: Tandem;

beforeAll(async () => {
  tandem = await startTandem();
});
afterAll(() => tandem?.dispose());

test.skipIf(!chromium)(
  'Swagger UI shows the operations and runs one, offline and without breaking its content security policy',
  async () => {
    const { chromium: launcher } = await import('playwright-core');
    const browser = await launcher.launch({
      executablePath: chromium!,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
      const complaints: string[] = [];
      const foreign: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith(tandem.url) && !request.url().startsWith('data:')) foreign.push(request.url());
      });

      await page.goto(`${tandem.url}/docs`);
      await page.getByText('Submit a run').waitFor();
      await page.locator('#operations-service-getHealth').click();
      await page.getByRole('button', { name: 'Try it out' }).click();
      await page.getByRole('button', { name: 'Execute' }).click();
      const answer = page.locator('.live-responses-table .response').first();
      await answer.waitFor();
      if (process.env['TANDEM_SCREENSHOTS'])
        await page.screenshot({ path: `${process.env['TANDEM_SCREENSHOTS']}/swagger-ui.png` });

      expect(await answer.textContent()).toMatch(/^200.*"status": "ok"/s);
      expect(complaints).toEqual([]);
      expect(foreign).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);
