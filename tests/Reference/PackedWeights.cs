using System.Buffers.Binary;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Reference;

/// <summary>Reads a quantized matrix as docs/format.md describes it, number by number, without the runtime's own layout.</summary>
public static class PackedWeights
{
    /// <summary>[M, K] in the order of the input's columns.</summary>
    public static double[,] Read(WeftFile file, TensorEntry tensor)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(tensor);
        var bytes = file.Bytes(tensor, 0, (int)tensor.Length);
        var (m, k) = (tensor.Shape[0], tensor.Shape[1]);
        var bits = tensor.DataType == DataType.Int4 ? 4 : 8;
        var meaning = tensor.Quantization!;
        var groups = k / meaning.GroupSize;
        var tileColumns = bits == 4 ? 64 : 32;
        var (blocks, tiles) = ((m + 15) / 16, (k + tileColumns - 1) / tileColumns);
        var scales = Up(512 * blocks * tiles);
        var zeros = Up(scales + (32 * blocks * groups));
        var order = Up(zeros + (meaning.ZeroPoints ? (meaning.Fractional ? 32 : 16) * blocks * groups : 0));
        var result = new double[m, k];
        for (var row = 0; row < m; row++)
        {
            for (var column = 0; column < k; column++)
            {
                var (r, c) = (row % 16, column % tileColumns);
                var tile = 512 * ((row / 16 * tiles) + (column / tileColumns));
                var lane = (4 * (r % 8)) + (c % 16 / 4);
                int code;
                if (bits == 4)
                {
                    int[] place = [0, 2, 1, 3];
                    var pair = bytes[tile + (16 * lane) + (4 * (c / 16)) + place[c % 4]];
                    code = r < 8 ? pair & 15 : pair >> 4;
                }
                else
                {
                    code = bytes[tile + (16 * lane) + (8 * (c / 16)) + (4 * (r / 8)) + (c % 4)];
                }

                var index = (16 * ((row / 16 * groups) + (column / meaning.GroupSize))) + r;
                var zero = !meaning.ZeroPoints ? 1 << (bits - 1)
                    : meaning.Fractional ? (1 << (bits - 1)) + (double)BinaryPrimitives.ReadHalfLittleEndian(bytes[(zeros + (2 * index))..]) : bytes[zeros + index];
                var scale = (double)BinaryPrimitives.ReadHalfLittleEndian(bytes[(scales + (2 * index))..]);
                var input = meaning.Permuted ? BinaryPrimitives.ReadInt32LittleEndian(bytes[(order + (4 * column))..]) : column;
                result[row, input] = (code - zero) * scale;
            }
        }

        return result;
    }

    private static int Up(int position) => (position + 63) / 64 * 64;
}
