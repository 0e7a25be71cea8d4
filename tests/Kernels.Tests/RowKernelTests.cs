using System.Runtime.InteropServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/embedding.cu, activation.cu and copy.cu against their definitions.</summary>
[TestFixture]
public sealed class RowKernelTests
{
    private static readonly int[] Widths = [1, 15, 16, 17, 111, 1003, 4104];
    private static readonly DataType[] Halves = [DataType.Float16, DataType.BFloat16];

    [Test]
    public void Embedding_takes_the_rows_of_its_tokens(
        [Values(DataType.Float16, DataType.BFloat16, DataType.Float32)] DataType type, [Values] bool positions)
    {
        var device = TestDevice.Open();
        const int Vocabulary = 19;
        int[] tokens = [3, 0, 18, 3, 7];
        int[] at = [4, 1, 0, 2, 3];
        foreach (var width in Widths)
        {
            var random = new Random(width);
            var (stride, yStride) = (((width + 7) / 8 * 8) + 8, ((width + 7) / 8 * 8) + 16);
            var (table, added) = (Values.Random(random, Vocabulary * width), Values.Random(random, 8 * width));
            using var pt = Upload(device, Values.Strided(table, width, stride, float.NaN), type);
            using var pa = Upload(device, Values.Strided(added, width, stride, float.NaN), type);
            using var ids = device.Upload(tokens);
            using var pp = device.Upload(at);
            using var y = device.Poisoned<float>(tokens.Length * yStride);
            device.Run(EmbeddingKernel.Instance(type), EmbeddingKernel.Shape(tokens.Length), new EmbeddingParams
            {
                Table = pt.Address,
                PositionTable = positions ? pa.Address : 0,
                TokenIds = ids.Address,
                Positions = pp.Address,
                Y = y.Address,
                Width = width,
                Stride = stride,
                PositionStride = stride,
                YStride = yStride,
                PositionOffset = 2,
                Scale = 1.5f,
            });
            var (rows, extra) = (Values.Round(table, type), Values.Round(added, type));
            var expected = tokens.SelectMany((token, n) => Enumerable.Range(0, width).Select(c =>
                (1.5 * rows[(token * width) + c]) + (positions ? extra[((at[n] + 2) * width) + c] : 0))).ToArray();
            var stored = y.Download();
            Assert.That(ErrorMeasure.RelativeRms(Values.Unstrided(stored, width, yStride), expected), Is.LessThan(1e-6), $"width {width}");
            Assert.That(Values.Between(stored, width, yStride), Has.All.NaN);
        }
    }

    [Test]
    public void Activations_apply([ValueSource(nameof(Halves))] DataType type, [Values] Activation activation, [Values] bool gated)
    {
        var device = TestDevice.Open();
        const int Rows = 3;
        foreach (var width in Widths)
        {
            var inputs = gated ? 2 * width : width;
            var (stride, yStride) = (((inputs + 7) / 8 * 8) + 8, ((width + 7) / 8 * 8) + 8);
            var x = Values.Random(new Random(width), Rows * inputs, 0.5f);
            using var px = device.Upload(Values.Strided(Values.Encode(x, type), inputs, stride, ushort.MaxValue));
            using var y = device.Poisoned<ushort>(Rows * yStride);
            device.Run(
                gated ? ActivationKernel.Gated(type, activation) : ActivationKernel.Plain(type, activation),
                ActivationKernel.Shape(Rows, width),
                new ActivationParams { X = px.Address, Y = y.Address, Rows = Rows, Width = width, XStride = stride, YStride = yStride });
            var rounded = Values.Round(x, type);
            var expected = Enumerable.Range(0, Rows).SelectMany(row => Enumerable.Range(0, width).Select(c =>
                ReferenceActivation.Apply(activation, rounded[(row * inputs) + c]) * (gated ? rounded[(row * inputs) + width + c] : 1))).ToArray();
            var stored = y.Download();
            Assert.That(
                ErrorMeasure.RelativeRms(Values.Decode(Values.Unstrided(stored, width, yStride), type), expected), Is.LessThan(Values.Rounding(type) + 1e-5), $"width {width}");
            Assert.That(Values.Between(stored, width, yStride), Has.All.EqualTo(ushort.MaxValue));
        }
    }

    [Test]
    public void Rows_are_gathered_converted_and_added(
        [Values(DataType.Float16, DataType.BFloat16, DataType.Float32)] DataType type, [Values] bool add, [Values] bool gather)
    {
        var device = TestDevice.Open();
        int[] rows = [4, 0, 2, 2];
        foreach (var width in Widths)
        {
            var random = new Random(width);
            var (stride, yStride) = (((width + 7) / 8 * 8) + 8, ((width + 7) / 8 * 8) + 16);
            var (x, before) = (Values.Random(random, 5 * width), Values.Random(random, rows.Length * width));
            using var px = Upload(device, Values.Strided(x, width, stride, float.NaN), type);
            using var pr = device.Upload(rows);
            using var y = device.Upload(Values.Strided(before, width, yStride, float.NaN));
            device.Run(CopyKernels.Rows(type, DataType.Float32, add), CopyKernels.RowShape(rows.Length), new CopyRowsParams
            {
                X = px.Address,
                Rows = gather ? pr.Address : 0,
                Y = y.Address,
                Width = width,
                XStride = stride,
                YStride = yStride,
            });
            var rounded = Values.Round(x, type);
            var expected = rows.SelectMany((row, n) => Enumerable.Range(0, width).Select(c =>
                (float)rounded[((gather ? row : n) * width) + c] + (add ? before[(n * width) + c] : 0))).ToArray();
            var stored = y.Download();
            Assert.That(Values.Unstrided(stored, width, yStride), Is.EqualTo(expected), $"width {width}");
            Assert.That(Values.Between(stored, width, yStride), Has.All.NaN);
        }
    }

    [Test]
    public void Rows_of_virtual_tokens_replace_what_was_computed([ValueSource(nameof(Halves))] DataType type, [Values(1, 3, 5)] int count)
    {
        var device = TestDevice.Open();
        int[] positions = [0, 1, 2, 3, 4, 40, 0, 2];
        foreach (var width in Widths)
        {
            var random = new Random(width);
            var (stride, xStride) = (((width + 7) / 8 * 8) + 8, ((width + 7) / 8 * 8) + 16);
            var (table, before) = (Values.Random(random, 5 * width), Values.Random(random, positions.Length * width));
            using var pt = Upload(device, Values.Strided(table, width, stride, float.NaN), type);
            using var pp = device.Upload(positions);
            using var x = device.Upload(Values.Strided(before, width, xStride, float.NaN));
            device.Run(VirtualTokenKernels.Rows(type), VirtualTokenKernels.Shape(positions.Length), new VirtualRowsParams
            {
                Table = pt.Address,
                Positions = pp.Address,
                X = x.Address,
                Count = count,
                Width = width,
                Stride = stride,
                XStride = xStride,
            });
            var rounded = Values.Round(table, type);
            var expected = positions.SelectMany((position, n) => Enumerable.Range(0, width).Select(c =>
                position < count ? (float)rounded[(position * width) + c] : before[(n * width) + c])).ToArray();
            var stored = x.Download();
            Assert.That(Values.Unstrided(stored, width, xStride), Is.EqualTo(expected), $"width {width}");
            Assert.That(Values.Between(stored, width, xStride), Has.All.NaN);
        }
    }

    [Test]
    public void Keys_of_virtual_tokens_replace_what_the_cache_has(
        [ValueSource(nameof(Halves))] DataType type, [ValueSource(nameof(Halves))] DataType cache, [Values(1, 3)] int heads, [Values(32, 80, 100, 256)] int headSize)
    {
        const int Count = 3;
        const int Blocks = 4;
        var device = TestDevice.Open((ulong)headSize);
        int[] positions = [0, 1, 2, 3, 2, 1];
        int[] slots = [17, 62, 5, 6, 33, -1];
        var width = heads * headSize;
        var row = HeadSizes.Row(headSize);
        var stride = (2 * width) + 8;
        var table = Values.Random(new Random(heads), Count * 2 * width);
        using var pt = Upload(device, Values.Strided(table, 2 * width, stride, float.NaN), type);
        using var pp = device.Upload(positions);
        using var ps = device.Upload(slots);
        using var keys = device.Poisoned<ushort>(Blocks * 16 * heads * row);
        using var values = device.Poisoned<ushort>(Blocks * 16 * heads * row);
        device.Run(VirtualTokenKernels.Keys(type, cache), VirtualTokenKernels.Shape(positions.Length), new VirtualKeysParams
        {
            Table = pt.Address,
            Positions = pp.Address,
            Slots = ps.Address,
            Keys = keys.Address,
            Values = values.Address,
            Count = Count,
            KeyHeads = heads,
            HeadSize = headSize,
            CacheRow = row,
            Stride = stride,
        });
        var rounded = Values.Encode([.. Values.Round(table, type).Select(x => (float)x)], cache);
        var (expectedKeys, expectedValues) = (Poison(), Poison());
        foreach (var (position, slot) in positions.Zip(slots).Where(pair => pair.First < Count && pair.Second >= 0))
        {
            for (var c = 0; c < width; c++)
            {
                var place = (((((slot / 16) * heads) + (c / headSize)) * 16) + (slot % 16)) * row;
                expectedKeys[place + (c % headSize)] = rounded[(position * 2 * width) + c];
                expectedValues[place + (c % headSize)] = rounded[(position * 2 * width) + width + c];
            }
        }

        Assert.That(keys.Download(), Is.EqualTo(expectedKeys));
        Assert.That(values.Download(), Is.EqualTo(expectedValues));

        ushort[] Poison()
        {
            var all = new ushort[Blocks * 16 * heads * row];
            Array.Fill(all, ushort.MaxValue);
            return all;
        }
    }

    [Test]
    public void Heads_get_zeros_behind_them_and_lose_them_again(
        [ValueSource(nameof(Halves))] DataType type, [Values] bool converted, [Values(1, 7)] int heads, [Values(2, 24, 100)] int headSize)
    {
        var device = TestDevice.Open((ulong)headSize);
        const int Tokens = 5;
        var row = HeadSizes.Row(headSize);
        var (width, padded) = (heads * headSize, heads * row);
        var (stride, yStride) = (width + 8, padded + 16);
        var x = Values.Random(new Random(headSize), Tokens * width);
        var source = converted ? DataType.Float32 : type;
        using var px = Upload(device, Values.Strided(x, width, stride, float.NaN), source);
        using var y = device.Poisoned<ushort>(Tokens * yStride);
        Copy(source, px.Address, y.Address, headSize, row, stride, yStride);
        var stored = y.Download();
        var encoded = Values.Encode(x, type);
        Assert.That(Values.Between(stored, padded, yStride), Has.All.EqualTo(ushort.MaxValue));
        Assert.That(
            Values.Unstrided(stored, padded, yStride), Is.EqualTo(encoded.Chunk(headSize).SelectMany(head => head.Concat(new ushort[row - headSize]))));

        using var back = device.Poisoned<ushort>(Tokens * stride);
        Copy(type, y.Address, back.Address, row, headSize, yStride, stride);
        var again = back.Download();
        Assert.That(Values.Between(again, width, stride), Has.All.EqualTo(ushort.MaxValue));
        Assert.That(Values.Unstrided(again, width, stride), Is.EqualTo(encoded));

        void Copy(DataType from, nuint at, nuint to, int size, int newSize, int rowStride, int newStride) => device.Run(
            CopyKernels.Heads(from, type), CopyKernels.HeadShape(Tokens, heads), new CopyHeadsParams
            {
                X = at,
                Y = to,
                Tokens = Tokens,
                Heads = heads,
                XSize = size,
                YSize = newSize,
                XStride = rowStride,
                YStride = newStride,
            });
    }

    [Test]
    public void A_block_is_copied_in_every_layer()
    {
        var device = TestDevice.Open();
        int[] bytes = [32, 4096];
        var random = new Random(1);
        var layers = Array.ConvertAll(bytes, size => Enumerable.Range(0, 5 * size).Select(_ => (byte)random.Next(256)).ToArray());
        var arrays = Array.ConvertAll(layers, layer => device.Upload(layer));
        using var bases = device.Upload(Array.ConvertAll(arrays, array => (ulong)array.Address));
        using var sizes = device.Upload(bytes);
        device.Run(CopyKernels.Block, CopyKernels.RowShape(2), new CopyBlockParams { Layers = bases.Address, Bytes = sizes.Address, Source = 3, Target = 1 });
        for (var i = 0; i < bytes.Length; i++)
        {
            var size = bytes[i];
            layers[i].AsSpan(3 * size, size).CopyTo(layers[i].AsSpan(size));
            Assert.That(arrays[i].Download(), Is.EqualTo(layers[i]));
            arrays[i].Dispose();
        }
    }

    [Test]
    public void Fill_writes_exactly_what_it_is_told([Values(1, 127, 128, 1003)] int count)
    {
        var device = TestDevice.Open();
        using var y = device.Poisoned<float>(count + 3);
        device.Run(CopyKernels.Fill(DataType.Float32), CopyKernels.FillShape(count), new FillParams { Y = y.Address, Count = count, Value = 2.5f });
        var stored = y.Download();
        Assert.That(stored[..count], Has.All.EqualTo(2.5f));
        Assert.That(stored[count..], Has.All.NaN);
    }

    [Test]
    public void Rows_are_stored_in_sixteen_bits(
        [ValueSource(nameof(Halves))] DataType type, [Values] bool converted, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        int[] rows = [4, 0, 2, 2];
        foreach (var width in Widths)
        {
            var (stride, yStride) = (((width + 7) / 8 * 8) + 8, ((width + 7) / 8 * 8) + 16);
            var x = Values.Random(new Random(width), 5 * width);
            var source = converted ? DataType.Float32 : type;
            using var px = Upload(device, Values.Strided(x, width, stride, float.NaN), source);
            using var pr = device.Upload(rows);
            using var y = device.Poisoned<ushort>(rows.Length * yStride);
            device.Run(CopyKernels.Rows(source, type), CopyKernels.RowShape(rows.Length), new CopyRowsParams
            {
                X = px.Address,
                Rows = pr.Address,
                Y = y.Address,
                Width = width,
                XStride = stride,
                YStride = yStride,
            });
            var encoded = Values.Encode(x, type);
            var stored = y.Download();
            Assert.That(
                Values.Unstrided(stored, width, yStride), Is.EqualTo(rows.SelectMany(row => encoded.Skip(row * width).Take(width))), $"width {width}");
            Assert.That(Values.Between(stored, width, yStride), Has.All.EqualTo(ushort.MaxValue));
        }
    }

    /// <summary>Every row is a block of its own: the first, the last and those between.</summary>
    [Test]
    public void Any_number_of_rows_is_copied([Values(1, 15, 16, 17, 111, 1003)] int rows)
    {
        var device = TestDevice.Open((ulong)rows);
        const int Width = 17;
        const int Stride = 24;
        var x = Values.Random(new Random(rows), rows * Width);
        using var px = device.Upload(Values.Strided(x, Width, Stride, float.NaN));
        using var y = device.Poisoned<float>((rows + 1) * Stride);
        device.Run(
            CopyKernels.Rows(DataType.Float32, DataType.Float32),
            CopyKernels.RowShape(rows),
            new CopyRowsParams { X = px.Address, Y = y.Address, Width = Width, XStride = Stride, YStride = Stride });
        var stored = y.Download();
        Assert.That(Values.Unstrided(stored[..(rows * Stride)], Width, Stride), Is.EqualTo(x));
        Assert.That(Values.Between(stored[..(rows * Stride)], Width, Stride), Has.All.NaN);
        Assert.That(stored[(rows * Stride)..], Has.All.NaN, "nothing after the last row is written");
    }

    /// <summary>The result may take the place of its input: the second half of a gated row stays as it was.</summary>
    [Test]
    public void Activations_apply_in_place([ValueSource(nameof(Halves))] DataType type, [Values] bool gated, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        const int Rows = 3;
        foreach (var width in Widths)
        {
            var inputs = gated ? 2 * width : width;
            var stride = ((inputs + 7) / 8 * 8) + 8;
            var x = Values.Encode(Values.Random(new Random(width), Rows * inputs, 0.5f), type);
            using var px = device.Upload(Values.Strided(x, inputs, stride, ushort.MaxValue));
            device.Run(
                gated ? ActivationKernel.Gated(type, Activation.Silu) : ActivationKernel.Plain(type, Activation.Silu),
                ActivationKernel.Shape(Rows, width),
                new ActivationParams { X = px.Address, Y = px.Address, Rows = Rows, Width = width, XStride = stride, YStride = stride });
            var values = Values.Decode(x, type);
            var expected = Enumerable.Range(0, Rows).SelectMany(row => Enumerable.Range(0, width).Select(c =>
                ReferenceActivation.Apply(Activation.Silu, values[(row * inputs) + c]) * (gated ? values[(row * inputs) + width + c] : 1))).ToArray();
            var stored = px.Download();
            Assert.That(
                ErrorMeasure.RelativeRms(Values.Decode(Values.Unstrided(stored, width, stride), type), expected),
                Is.LessThan(Values.Rounding(type) + 1e-5),
                $"width {width}");
            var untouched = Values.Strided(x, inputs, stride, ushort.MaxValue);
            Assert.That(Values.Between(stored, width, stride), Is.EqualTo(Values.Between(untouched, width, stride)));
        }
    }

    [Test]
    public void Fill_rounds_to_sixteen_bits([ValueSource(nameof(Halves))] DataType type, [Values(1, 15, 129, 1003)] int count)
    {
        var device = TestDevice.Open();
        using var y = device.Poisoned<ushort>(count + 3);
        device.Run(CopyKernels.Fill(type), CopyKernels.FillShape(count), new FillParams { Y = y.Address, Count = count, Value = 0.1f });
        var stored = y.Download();
        Assert.That(stored[..count], Has.All.EqualTo(Values.Encode([0.1f], type)[0]));
        Assert.That(stored[count..], Has.All.EqualTo(ushort.MaxValue));
    }

    private static DeviceArray<byte> Upload(TestDevice device, float[] values, DataType type) => type == DataType.Float32
        ? device.Upload(MemoryMarshal.AsBytes(values.AsSpan()))
        : device.Upload(MemoryMarshal.AsBytes(Values.Encode(values, type).AsSpan()));
}
