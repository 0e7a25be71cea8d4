using System.Text.Json.Serialization;

namespace Weft.Tensors;

/// <summary>Element types of weights, of the key/value cache and of activations.</summary>
[JsonConverter(typeof(DataTypeJsonConverter))]
public enum DataType
{
    /// <summary>IEEE 754 binary32.</summary>
    Float32,

    /// <summary>IEEE 754 binary16.</summary>
    Float16,

    /// <summary>The upper half of a binary32: 8 exponent bits, 7 mantissa bits.</summary>
    BFloat16,

    /// <summary>Codes from 0 to 15 that a <see cref="Weights.Quantization"/> gives a meaning; weights only.</summary>
    Int4,

    /// <summary>Codes from 0 to 255, likewise.</summary>
    Int8,

    /// <summary>Numbers of 4 bits (E2M1) of which 32 share a power of two (OCP Microscaling Formats v1.0, 2023); weights only.</summary>
    Mxfp4,
}
