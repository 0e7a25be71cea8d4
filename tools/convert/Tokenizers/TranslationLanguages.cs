using System.Globalization;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// What tokenizer classes of translation models know beside their files: a token for each language, in the order of their ids, and where
/// the token of a text's language stands.
/// </summary>
/// <param name="Languages">Texts of the languages' tokens.</param>
/// <param name="Spelling">How a language's name becomes its token; {0} stands for the name.</param>
/// <param name="Default">The language of a text when nothing says it.</param>
/// <param name="First">Whether the language's token begins a text; else it comes last, after the end's.</param>
internal sealed record TranslationLanguages(IReadOnlyList<string> Languages, string Spelling, string Default, bool First)
{
    private const string MBart =
        "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN";

    private const string MBart50 =
        "af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA "
        + "gl_ES sl_SI";

    private const string M2M100 =
        "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko "
        + "lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh "
        + "zu";

    private const string Nllb =
        "ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn amh_Ethi apc_Arab arb_Arab ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn "
        + "awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn "
        + "bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn "
        + "est_Latn eus_Latn ewe_Latn fao_Latn pes_Arab fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr "
        + "hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn "
        + "kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn "
        + "kon_Latn kor_Hang kmr_Latn lao_Laoo lvs_Latn lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn lua_Latn lug_Latn luo_Latn lus_Latn "
        + "mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn mkd_Cyrl plt_Latn mlt_Latn mni_Beng khk_Cyrl mos_Latn mri_Latn zsm_Latn mya_Mymr nld_Latn nno_Latn "
        + "nob_Latn npi_Deva nso_Latn nus_Latn nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pol_Latn por_Latn prs_Arab pbt_Arab quy_Latn "
        + "ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn "
        + "spa_Latn als_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn tam_Taml tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi "
        + "taq_Latn taq_Tfng tpi_Latn tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn "
        + "vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zul_Latn";

    /// <summary>The languages of the class that a config names; null when it is not one for translation.</summary>
    public static TranslationLanguages? Find(TokenizerConfig config) => config.Class switch
    {
        "MBartTokenizer" => new(MBart.Split(' '), "{0}", "en_XX", First: false),
        "MBart50Tokenizer" => new($"{MBart} {MBart50}".Split(' '), "{0}", "en_XX", First: true),
        "M2M100Tokenizer" => new([.. (config.Text("language_codes") == "wmt21" ? "en ha is ja cs ru zh de" : M2M100).Split(' ').Select(code => $"__{code}__")], "__{0}__", "en", First: true),
        "NllbTokenizer" => new(config.Texts("additional_special_tokens") is { Count: > 0 } given ? given : Nllb.Split(' '), "{0}", "eng_Latn", First: !config.Flag("legacy_behaviour", whenMissing: false)),
        _ => null,
    };

    /// <summary>
    /// Puts the language's token and the end of a text around every text, as the class does when it is loaded, whatever a tokenizer.json says:
    /// published ones were written when other languages, or another order, were the default.
    /// </summary>
    /// <exception cref="WeftException">The config names a source language that the tokenizer does not have.</exception>
    public TokenizerDescription Surround(TokenizerDescription tokenizer, TokenizerConfig config)
    {
        int? Id(string token) => tokenizer.AddedTokens.FirstOrDefault(added => added.Content == token)?.Id;
        var name = config.Text("src_lang");
        var token = string.Format(CultureInfo.InvariantCulture, Spelling, name ?? Default);
        if (Id(token) is not { } language)
            return name is null ? tokenizer : throw new WeftException($"the source language '{name}' is none of the tokenizer's");
        int[] end = Id(config.Token("eos_token") ?? "</s>") is { } id ? [id] : [];
        return tokenizer with { Prefix = First ? [language] : [], Suffix = First ? end : [.. end, language] };
    }
}
