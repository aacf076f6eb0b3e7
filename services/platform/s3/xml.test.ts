import { describe, expect, it } from 'vitest';
import { elements, escapeXml, textOf } from './xml.ts';

describe('reading the XML of S3', () => {
  it('finds repeated elements in order, and the fields of each', () => {
    const xml =
      '<R xmlns="x"><Part><N>1</N><E>&#34;a&#34;</E></Part><Part><N>2</N><E>&quot;b&quot;</E></Part><PartNumber>9</PartNumber></R>';
    expect(elements(xml, 'Part').map((part) => [textOf(part, 'N'), textOf(part, 'E')])).toEqual([
      ['1', '"a"'],
      ['2', '"b"'],
    ]);
  });

  it('keeps names of digits as text', () => {
    expect(textOf('<Key>007</Key>', 'Key')).toBe('007');
  });

  it('knows an absent element from an empty one', () => {
    expect([textOf('<A></A>', 'A'), textOf('<A></A>', 'B')]).toEqual(['', null]);
  });

  it('gives back what was escaped', () => {
    const text = `a<b>&"c'`;
    expect(textOf(`<T>${escapeXml(text)}</T>`, 'T')).toBe(text);
  });
});
