// How two pictures differ, seen from far: both are averaged over cells, so that hairlines and fonts make no difference.
// Evaluated by tests/support/pictures.py in an empty page.
async ([before, after]) => {
  const CELL = 20;
  const cells = async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const [columns, rows] = [Math.floor(width / CELL), Math.floor(height / CELL)];
    const sums = new Float64Array(columns * rows * 4);
    for (let y = 0; y < rows * CELL; y++) {
      for (let x = 0; x < columns * CELL; x++) {
        const cell = 4 * (Math.floor(y / CELL) * columns + Math.floor(x / CELL));
        for (let channel = 0; channel < 4; channel++) sums[cell + channel] += data[4 * (y * width + x) + channel];
      }
    }
    return { width, height, means: sums.map((sum) => sum / CELL ** 2) };
  };
  const [a, b] = [await cells(before), await cells(after)];
  if (a.width !== b.width || Math.abs(a.height - b.height) > CELL * 2) return { same_size: false, mean: 255, far: 1 };
  const shared = Math.min(a.means.length, b.means.length);
  let sum = 0;
  let far = 0;
  for (let cell = 0; cell < shared; cell += 4) {
    const difference = Math.max(...[0, 1, 2, 3].map((channel) => Math.abs(a.means[cell + channel] - b.means[cell + channel])));
    sum += difference;
    far += difference > 40;
  }
  return { same_size: true, mean: sum / (shared / 4), far: far / (shared / 4) };
}
