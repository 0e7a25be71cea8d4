using Weft.Tensors;

namespace Weft.Kernels.Tests.Support;

/// <summary>Keys and values of some sequences in blocks that lie in a shuffled order, poison wherever no position is.</summary>
internal sealed class PagedCache : IDisposable
{
    public const int BlockSize = 16;

    public PagedCache(TestDevice device, DataType type, IReadOnlyList<int> lengths, int groups, int headSize, Random random)
    {
        MaxBlocks = lengths.Max(length => (length + BlockSize - 1) / BlockSize) + 1;
        var blocks = Enumerable.Range(0, lengths.Sum(length => (length + BlockSize - 1) / BlockSize) + 1).ToArray();
        random.Shuffle(blocks);
        var table = new int[lengths.Count * MaxBlocks];
        Array.Fill(table, int.MaxValue / 2);
        var (keys, values) = (Poison(blocks.Length * groups * BlockSize * headSize), Poison(blocks.Length * groups * BlockSize * headSize));
        var next = 0;
        for (var sequence = 0; sequence < lengths.Count; sequence++)
        {
            var k = Values.Random(random, lengths[sequence] * groups * headSize);
            var v = Values.Random(random, lengths[sequence] * groups * headSize);
            for (var position = 0; position < lengths[sequence]; position++)
            {
                if (position % BlockSize == 0)
                    table[(sequence * MaxBlocks) + (position / BlockSize)] = blocks[next++];
                var block = table[(sequence * MaxBlocks) + (position / BlockSize)];
                for (var group = 0; group < groups; group++)
                {
                    var source = ((position * groups) + group) * headSize;
                    var target = ((((block * groups) + group) * BlockSize) + (position % BlockSize)) * headSize;
                    Values.Encode(k[source..(source + headSize)], type).CopyTo(keys, target);
                    Values.Encode(v[source..(source + headSize)], type).CopyTo(values, target);
                }
            }

            KeysOf.Add(Values.Round(k, type));
            ValuesOf.Add(Values.Round(v, type));
        }

        Keys = device.Upload(keys);
        ValuesArray = device.Upload(values);
        Table = device.Upload(table);
    }

    public int MaxBlocks { get; }

    /// <summary>[T, G, D] of each sequence.</summary>
    public List<double[]> KeysOf { get; } = [];

    public List<double[]> ValuesOf { get; } = [];

    public DeviceArray<ushort> Keys { get; }

    public DeviceArray<ushort> ValuesArray { get; }

    public DeviceArray<int> Table { get; }

    public void Dispose()
    {
        Keys.Dispose();
        ValuesArray.Dispose();
        Table.Dispose();
    }

    private static ushort[] Poison(int count)
    {
        var values = new ushort[count];
        Array.Fill(values, ushort.MaxValue);
        return values;
    }
}
