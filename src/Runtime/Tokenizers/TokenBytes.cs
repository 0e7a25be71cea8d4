using System.Text;

namespace Weft.Tokenizers;

/// <summary>What each id adds to decoded text, as bytes: computed once, so that decoding is a copy.</summary>
internal static class TokenBytes
{
    public static byte[]?[] Build(TokenizerDescription description)
    {
        var highest = description.AddedTokens.Select(token => token.Id).Append(description.Model.Tokens.Count - 1).Max();
        var bytes = new byte[]?[highest + 1];
        var decoder = description.Decoder;
        for (var id = 0; id < description.Model.Tokens.Count; id++)
        {
            if (description.Model.Tokens[id] is { } token)
                bytes[id] = Decode(token, decoder);
        }

        foreach (var id in description.Model.ControlTokens)
            bytes[id] = [];
        foreach (var token in description.AddedTokens)
            bytes[token.Id] = Decode(token.Content, decoder);
        return bytes;
    }

    private static byte[] Decode(string token, DecoderDescription decoder)
    {
        if (decoder.ByteLevel)
            return ByteAlphabet.TryDecode(token) ?? Encoding.UTF8.GetBytes(token);
        if (decoder.ByteFallback && BpeModel.TryParseByte(token, out var value))
            return [value];
        return Encoding.UTF8.GetBytes(decoder.Space is { } space ? token.Replace(space, " ", StringComparison.Ordinal) : token);
    }
}
