using System.Runtime.InteropServices;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Reference;

/// <summary>A matrix of random codes in tiles, and the weights that they stand for.</summary>
public sealed class QuantizedMatrix
{
    private readonly byte[] bytes;
    private readonly int[]? order;
    private readonly double[] weights;

    /// <summary>Draws a matrix [<paramref name="rows"/>, <paramref name="columns"/>].</summary>
    public QuantizedMatrix(int rows, int columns, DataType type, Quantization quantization)
    {
        ArgumentNullException.ThrowIfNull(quantization);
        Layout = new(rows, columns, type, quantization);
        bytes = new byte[Layout.Length];
        weights = new double[rows * columns];
        var random = new Random((rows * 1000) + columns);
        if (quantization.Permuted)
        {
            order = [.. Enumerable.Range(0, columns)];
            random.Shuffle(order);
            MemoryMarshal.AsBytes(order.AsSpan()).CopyTo(bytes.AsSpan((int)Layout.Order));
        }

        for (var row = 0; row < rows; row++)
        {
            for (var group = 0; group < Layout.Groups; group++)
                Fill(random, row, group);
        }
    }

    /// <summary>Where everything lies.</summary>
    public QuantizedLayout Layout { get; }

    /// <summary>The tensor.</summary>
    public ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>The input's column that each stored column multiplies, or null.</summary>
    public IReadOnlyList<int>? Order => order;

    /// <summary>[M, K] in the order of the input's columns.</summary>
    public ReadOnlySpan<double> Weights => weights;

    private void Fill(Random random, int row, int group)
    {
        if (Layout.ScaleBytes == 1)
        {
            FillMxfp4(random, row, group);
            return;
        }

        var size = Layout.Quantization.GroupSize;
        var scale = (Half)((random.NextSingle() - 0.3f) / (1 << Layout.Bits));
        var zero = Layout.ZeroPointBytes switch
        {
            0 => 1 << (Layout.Bits - 1),
            1 => random.Next(1 << Layout.Bits),
            // Most lie among the codes, one in twenty far away on either side.
            _ => Layout.MiddleCode + (double)(Half)(((random.NextDouble() - 0.5) * (1 << Layout.Bits)) + (random.Next(20) == 0 ? random.Next(-8, 9) << Layout.Bits : 0)),
        };
        var index = Layout.GroupIndex(row, group);
        BitConverter.GetBytes(scale).CopyTo(bytes, Layout.Scales + (2 * index));
        if (Layout.ZeroPointBytes == 1)
            bytes[Layout.ZeroPoints + index] = (byte)zero;
        else if (Layout.ZeroPointBytes == 2)
            BitConverter.GetBytes((Half)(zero - Layout.MiddleCode)).CopyTo(bytes, Layout.ZeroPoints + (2 * index));
        for (var column = group * size; column < (group + 1) * size; column++)
        {
            var code = random.Next(1 << Layout.Bits);
            var (place, shift) = Layout.Place(row % QuantizedLayout.TileRows, column % Layout.TileColumns);
            bytes[Layout.Tile(row / QuantizedLayout.TileRows, column / Layout.TileColumns) + place] |= (byte)(code << shift);
            weights[(row * Layout.Columns) + (order?[column] ?? column)] = (code - zero) * (double)scale;
        }
    }

    /// <summary>Numbers of four bits, sign, exponent and mantissa, times a power of two from 2^−17 to 2^2; one exponent in fifty is the smallest.</summary>
    private void FillMxfp4(Random random, int row, int group)
    {
        double[] numbers = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
        var exponent = random.Next(50) == 0 ? 0 : random.Next(110, 130);
        bytes[Layout.Scales + Layout.GroupIndex(row, group)] = (byte)exponent;
        for (var column = group * 32; column < (group + 1) * 32; column++)
        {
            var code = random.Next(16);
            var (place, shift) = Layout.Place(row % QuantizedLayout.TileRows, column % Layout.TileColumns);
            bytes[Layout.Tile(row / QuantizedLayout.TileRows, column / Layout.TileColumns) + place] |= (byte)(code << shift);
            weights[(row * Layout.Columns) + column] = numbers[code % 8] * (code < 8 ? 1 : -1) * Math.ScaleB(1, exponent - 127);
        }
    }
}
